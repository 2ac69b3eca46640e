package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
	"github.com/hotcold/hotcold/internal/config"
)

// dataPath is what moves the bytes, and why it is that one.
type dataPath struct {
	balancer.Path
	name, why string
	// files are the listeners, for another process to go on with; nil where the path has none.
	files func(context.Context) ([]*os.File, error)
	// connections lists some of those that there are.
	connections func(ctx context.Context, limit int) (*balancer.Connections, error)
	// supports tells what the path cannot do of a configuration.
	supports func(*config.Config) error
}

// choosePath makes the data path that the configuration asks for.
func (r *balancing) choosePath(c *config.Config, o balancer.Options, in inherited) (dataPath, error) {
	switch c.Balancer.DataPath {
	case config.DataPathSplice:
		return r.splicePath(in, "as hotcold.balancer.dataPath says")
	case config.DataPathKernel:
		unfit := kernelUnfit
		if r.checking {
			unfit = kernelLacks // a balancer that runs here may use the kernel already
		}
		if err := unfit(c, o, in); err != nil {
			return dataPath{}, fmt.Errorf("%v: the kernel path cannot be used: %w", c.Where("hotcold.balancer.dataPath"), err)
		}
		return r.kernelPath(c, "as hotcold.balancer.dataPath says")
	}
	if err := kernelUnfit(c, o, in); err != nil {
		return r.splicePath(in, firstOf(err))
	}
	return r.kernelPath(c, "the kernel can do all that the rules ask for")
}

// firstOf is the first line of an error, for a person who did not ask.
func firstOf(err error) string {
	return faultLines(err)[0]
}

func (r *balancing) splicePath(in inherited, why string) (dataPath, error) {
	p, err := splice.New(splice.Options{
		Clock: r.Clock, Log: r.log, Listeners: in.rules, Cut: r.cut,
		Closed: func(c splice.Closed) {
			r.access.tell(r.Clock.Now(), gone{Rule: c.Rule, Client: c.Client, Machine: c.Target.Machine, Epoch: c.Target.Epoch,
				In: c.In, Out: c.Out, Age: c.Age, Waited: c.Waited, End: string(c.End)})
		},
	})
	if err != nil {
		return dataPath{}, err
	}
	return dataPath{Path: p, name: "splice", why: why, files: p.Files, connections: p.Connections, supports: func(*config.Config) error { return nil }}, nil
}

// cut tells of a connection that was ended because of the epoch. The log's spool never blocks.
func (r *balancing) cut(c balancer.Cut) {
	r.log.Info("connection cut", "rule", c.Rule, "client", c.Client.String(), "backend", c.Was.Machine, "epoch", c.Was.Epoch,
		"now", c.Now.Machine, "nowEpoch", c.Now.Epoch, "bytesIn", c.In, "bytesOut", c.Out, "age", c.Age, "drained", c.AfterDrain)
}
