package balancer

import (
	"context"
	"errors"
	"fmt"
)

// maxMachines is how many there are in a pair.
const maxMachines = 2

// Balancer decides which machine gets the traffic, and tells the data path. Make one with New.
type Balancer struct{ o Options }

// New checks the options and reports every fault in them. It opens nothing.
func New(o Options) (*Balancer, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("make the balancer: %w", err)
	}
	return &Balancer{o: o}, nil
}

// Run decides and steers until ctx ends and nothing of it is left. It returns nil when it ended because ctx did, and
// otherwise why the data path did. It may be called once.
func (b *Balancer) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Reload puts other options in the place of those in force: all of them, or none and an error. The greatest epoch, the
// agents' words and the counters survive. Path, Clock, Log and Published stay those of New, whatever o says. It waits
// for a Run that has not begun, as long as ctx lasts.
func (b *Balancer) Reload(ctx context.Context, o Options) error { return errors.ErrUnsupported }

// Snapshot is what the balancer knows now. It may be called from any goroutine, before Run too.
func (b *Balancer) Snapshot() Snapshot { return Snapshot{} }
