package demo

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/witness"
)

// The timing of the pair where nobody asks for another. It is quick, and was
// stable on two processors that were busy with something else (2026-11).
const (
	DefaultUpdate = 300 * time.Millisecond
	DefaultWait   = time.Second
)

// Options say what is shown and where.
type Options struct {
	// Executable is the hotcold program that the agents and nodes are made of;
	// Environ is their environment.
	Executable string
	Environ    []string
	// Dir is the folder to work in, which has to be new or empty; empty means
	// a new one in TempDir.
	Dir, TempDir string
	// Keep leaves the folder behind.
	Keep bool
	// Update and Wait are the updateInterval and waitInterval of the pair.
	Update, Wait time.Duration
	// Keys, if not nil, is the terminal whose keys do the harm. Without it the
	// demo runs through by itself.
	Keys *os.File
	// Screen is where the talk goes.
	Screen Screen
	// Hurry, when closed, ends all processes at once instead of in order.
	Hurry <-chan struct{}
	// Open opens an SQLite database. The driver is linked in by who builds the
	// program.
	Open  func(dsn string) (*sql.DB, error)
	Clock clock.Clock

	// audit is witness.Audit, but for tests that need a promise broken.
	audit func(context.Context, witness.Evidence) (witness.Report, error)
}

// Screen is where the demo talks to a person.
type Screen struct {
	Out io.Writer
	// Color allows ANSI colours.
	Color bool
	// Live allows a line at the bottom that changes in place.
	Live bool
	// Width tells how many columns there are; nil means that nobody knows.
	Width func() int
}

func (o *Options) complete() error {
	if o.Executable == "" || o.Open == nil || o.Clock == nil || o.Screen.Out == nil {
		return errors.New("demo: a program, a database driver, a clock and a screen are needed")
	}
	if o.Update == 0 {
		o.Update = DefaultUpdate
	}
	if o.Wait == 0 {
		o.Wait = DefaultWait
	}
	if o.Screen.Width == nil {
		o.Screen.Width = func() int { return 0 }
	}
	if o.audit == nil {
		o.audit = witness.Audit
	}
	return nil
}
