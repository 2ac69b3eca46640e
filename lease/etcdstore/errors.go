package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kinds of errors, for errors.Is. They say what a person has to look at; what
// became of a write is unknown after every one of them.
var (
	// ErrUnreachable means that no answer came: no connection, a lost one, no
	// leader, or a context that ended first.
	ErrUnreachable = errors.New("etcd does not answer")
	// ErrLogin means that etcd refused the user or the password, or asks for one.
	ErrLogin = errors.New("etcd refused the login")
	// ErrRights means that the user may not read and write the keys of the prefix.
	ErrRights = errors.New("the etcd user lacks the right to read and write the prefix")
	// ErrDiskFull means that the space quota is used up and etcd takes no writes.
	ErrDiskFull = errors.New("the space of etcd is used up")
	// ErrDamaged means that a key holds what hotcold did not write.
	ErrDamaged = errors.New("the keys of the lease are damaged")
	// ErrDoubt means that etcd answered, and that the answer is that of another
	// cluster or of an earlier state of this one.
	ErrDoubt = errors.New("the outcome is unknown")
)

// kindError gives a cause one of the kinds above.
type kindError struct{ kind, cause error }

// Error is one line, whatever the client does.
func (e *kindError) Error() string {
	return e.kind.Error() + ": " + strings.ReplaceAll(e.cause.Error(), "\n", "; ")
}

func (e *kindError) Unwrap() []error { return []error{e.kind, e.cause} }

// of makes err one of kind, unless it is already one.
func of(kind, err error) error {
	if errors.Is(err, kind) {
		return err
	}
	return &kindError{kind, err}
}

// judge finds the kind of an error.
func judge(ctx context.Context, err error) error {
	code := codeOf(err)
	text := rpctypes.ErrorDesc(err)
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrDoubt):
		return err
	case code == codes.PermissionDenied:
		return of(ErrRights, err)
	case code == codes.Unauthenticated, text == rpctypes.ErrorDesc(rpctypes.ErrGRPCAuthFailed), text == rpctypes.ErrorDesc(rpctypes.ErrGRPCUserEmpty):
		return of(ErrLogin, err)
	case text == rpctypes.ErrorDesc(rpctypes.ErrGRPCNoSpace):
		return of(ErrDiskFull, err)
	case lost(ctx, err):
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%w)", err, cause)
		}
		return of(ErrUnreachable, err)
	}
	return err
}

// codeOf is gRPC's code of an error, whether the client kept it as it came or
// made one of its own of it.
func codeOf(err error) codes.Code {
	var e rpctypes.EtcdError
	if errors.As(err, &e) {
		return e.Code()
	}
	if s, ok := status.FromError(err); ok {
		return s.Code()
	}
	return codes.Unknown
}

// lost finds the errors that mean a lost or silent member, or one without a leader.
func lost(ctx context.Context, err error) bool {
	if err == nil {
		return false
	}
	switch codeOf(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled:
		return true
	}
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// stale tells a token that etcd does not know any more: it forgets them after
// five minutes, at its restart, and when a user was changed.
func stale(err error) bool {
	text := rpctypes.ErrorDesc(err)
	return text == rpctypes.ErrorDesc(rpctypes.ErrGRPCInvalidAuthToken) || text == rpctypes.ErrorDesc(rpctypes.ErrGRPCAuthOldRevision)
}
