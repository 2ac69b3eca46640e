package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/lease/notice"
)

var errNotWell = errors.New("not well")

// announceEvery is how often an agent writes its row at the least.
const announceEvery = agent.AnnouncePause

func (a *app) switchoverCommand() *cobra.Command {
	var to string
	var wait time.Duration
	c := &cobra.Command{
		Use: "switchover", Short: "hand the node to the other machine, in order", Args: noArgs, GroupID: "steer",
		Long: `switchover asks the hot agent to stop its node, see it dead and give the lease
to another agent that is ready. It waits until the node is ready there and says
how that went. If the other one does not take over, the node comes back here.

Ctrl-C ends the waiting. A request that no agent has accepted yet is taken back.`,
		Example: `  hotcold switchover                 # to whoever is ready
  hotcold switchover --to machine-b`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.request(cmd.Context(), notice.Request{Kind: agent.RequestSwitchover, Target: to}, wait)
		},
	}
	c.Flags().StringVar(&to, "to", "", "`machine` or instance that should become hot")
	_ = c.RegisterFlagCompletionFunc("to", a.completeMachines) // it fails for a flag that there is not
	a.requestFlags(c, &wait, 3*time.Minute)
	return c
}

func (a *app) pauseCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use: "pause", Short: "hands off: no takeover and no restart, until resumed", Args: noArgs, GroupID: "steer",
		Long: `pause is for maintenance. The hot node goes on and its lease is renewed, but a
node that ends is not restarted and nobody takes over. One thing does not pause:
a node whose agent cannot renew the lease is still stopped in time.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.request(cmd.Context(), notice.Request{Kind: agent.RequestPause}, wait)
		},
	}
	a.requestFlags(c, &wait, time.Minute)
	return c
}

func (a *app) resumeCommand() *cobra.Command {
	var wait time.Duration
	c := &cobra.Command{
		Use: "resume", Short: "end a pause, or try a failed node again", Args: noArgs, GroupID: "steer",
		Long: `resume ends a pause. It also lets a node be tried again that failed too often on
both machines (state failed).`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.request(cmd.Context(), notice.Request{Kind: agent.RequestResume}, wait)
		},
	}
	a.requestFlags(c, &wait, time.Minute)
	return c
}

func (a *app) requestFlags(c *cobra.Command, wait *time.Duration, standard time.Duration) {
	c.Flags().DurationVar(wait, "wait", standard, "how long to wait for the outcome")
	a.jsonFlag(c)
}

// request writes a request into the database and waits for what becomes of it.
func (a *app) request(ctx context.Context, r notice.Request, wait time.Duration) error {
	if wait <= 0 {
		return usage("--wait is %v, want more than 0: an outcome takes its time", wait)
	}
	conf, db, err := a.opened(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	r.Lease, r.By = conf.LeaseName, a.person()
	asking, cancel := context.WithTimeout(ctx, databaseLimit)
	r.ID, err = db.Ask(asking, r)
	cancel()
	if err != nil {
		return err
	}
	if !a.json {
		fmt.Fprintf(a.Stderr, "asked for %s; waiting up to %v for the outcome (Ctrl-C ends the waiting)\n", r.Kind, wait)
	}
	limited, cancel := context.WithTimeoutCause(ctx, wait, errWaited)
	defer cancel()
	r, err = a.follow(limited, db, r)
	if err != nil {
		return a.abandon(context.WithoutCancel(ctx), db, r, err)
	}
	return a.outcome(r)
}

var errWaited = errors.New("nobody answered in time")

// follow waits until a request has come to its end; a pause that is in force
// has done what it should.
func (a *app) follow(ctx context.Context, db database, r notice.Request) (notice.Request, error) {
	watching, stop := context.WithCancel(ctx)
	changed := make(chan struct{}, 1)
	watched := make(chan error, 1)
	lease := r.Lease // r changes below, while the watch goes on
	go func() {
		watched <- db.Watch(watching, lease, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	defer func() {
		stop()
		<-watched
	}()
	said := notice.StateOpen
	for {
		now, err := db.Request(ctx, r.ID)
		if err == nil {
			r = now
		}
		switch {
		case ctx.Err() != nil:
			return r, context.Cause(ctx)
		case r.Ended():
			return r, nil
		case r.Kind == agent.RequestPause && r.State == notice.StateAccepted:
			r.Answer = "paused: nothing is taken over or restarted until `hotcold resume`"
			return r, nil
		case r.State != said && !a.json:
			said = r.State
			fmt.Fprintf(a.Stderr, "%s by %s\n", r.State, r.AcceptedBy)
		}
		timer := a.Clock.Timer(a.Clock.Now().Boot + lookPause)
		select {
		case <-changed:
		case <-timer.C():
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// lookPause is between two looks at a request where the database cannot tell.
const lookPause = 500 * time.Millisecond

// abandon takes back what nobody has accepted, and says what goes on.
func (a *app) abandon(ctx context.Context, db database, r notice.Request, why error) error {
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	code := exitInterrupted
	if errors.Is(why, errWaited) {
		code = exitRefused
	}
	withdrawn, err := db.Withdraw(ctx, r.ID)
	switch {
	case err != nil:
		return &failure{code: code, err: fmt.Errorf("%w, and it is not known whether the request still stands: %w", why, err), hint: "`hotcold status` shows open requests"}
	case withdrawn:
		return &failure{code: code, err: fmt.Errorf("%w: no agent accepted the request, and it was taken back", why), hint: "`hotcold status` shows which agents are up"}
	}
	return &failure{code: code, err: fmt.Errorf("%w: the request was accepted by %s and goes on", why, r.AcceptedBy), hint: "`hotcold status` shows how it goes"}
}

// outcome is what became of a request, for machines.
type outcome struct {
	Request    string `json:"request"`
	To         string `json:"to,omitempty"`
	State      string `json:"state"`
	Answer     string `json:"answer"`
	AcceptedBy string `json:"acceptedBy,omitempty"`
}

func (a *app) outcome(r notice.Request) error {
	if a.json {
		if err := a.printJSON(outcome{r.Kind, r.Target, r.State, r.Answer, r.AcceptedBy}); err != nil {
			return err
		}
	} else if r.State != notice.StateRefused {
		fmt.Fprintln(a.Stdout, r.Answer)
	}
	if r.State == notice.StateRefused {
		return &failure{code: exitRefused, err: fmt.Errorf("%s was refused: %s", r.Kind, r.Answer), hint: "`hotcold status` shows the agents and why they are not ready"}
	}
	return nil
}

// person says who asks, for the history.
func (a *app) person() string {
	host, err := a.Hostname()
	if err != nil {
		host = "somewhere"
	}
	if u, err := user.Current(); err == nil {
		return u.Username + "@" + host
	}
	return "somebody@" + host
}
