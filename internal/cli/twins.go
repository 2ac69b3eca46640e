package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/lease"
)

// twinOptions are what the agent compares with the other machine.
func (a *app) twinOptions(ctx context.Context, c *config.Config) (agent.TwinOptions, error) {
	sel, err := selectionOf(c)
	if err != nil {
		return agent.TwinOptions{}, err
	}
	o := agent.TwinOptions{Selection: sel, Signed: c.Preset.Signed, Sync: c.Clone.Sync, AllowOther: c.Clone.OtherIdentity == config.IdentityAllow}
	n, err := a.nodeOf(ctx, c, true)
	if err != nil || n == nil {
		return o, err
	}
	if o.Passwords, err = a.storePasswords(ctx, c); err != nil {
		return o, err
	}
	dev, err := n.Config.At("devMode").Bool()
	o.DevMode = err == nil && dev
	return o, nil
}

// fetchParameters brings what the network signed from the hot machine, as its
// agent put it into the database.
func (a *app) fetchParameters(ctx context.Context, c *config.Config, dry bool) error {
	sel, err := selectionOf(c)
	if err != nil {
		return err
	}
	if len(c.Preset.Signed) == 0 {
		return &failure{code: exitConfig, err: fmt.Errorf("the preset %s knows no network parameters", c.Preset.Name)}
	}
	holder, err := holderOf(ctx, c)
	switch {
	case err != nil:
		return err
	case holder == c.Instance.ID:
		return &failure{code: exitRefused, err: fmt.Errorf("this machine, %s, holds the lease: its parameters are the right ones", holder), hint: "run it on the cold machine"}
	case holder == "":
		return &failure{code: exitRefused, err: errors.New("nobody holds the lease, so nobody's parameters are known to be the right ones"), hint: "wait until a machine is hot, or fetch them with `hotcold clone --from`"}
	}
	told, err := a.toldBy(ctx, c, holder)
	if err != nil {
		return err
	}
	here, err := a.manifestHere(ctx, c, sel)
	if err != nil {
		return err
	}
	r := cloneReport{From: holder, To: c.Instance.ID, DryRun: dry, Steps: []clone.Step{}, Left: []string{}, Notes: []string{}}
	for _, name := range c.Preset.Signed {
		e, content, ok := told.Newer(here, name)
		if !ok {
			continue
		}
		if !dry {
			if err := agent.Bring(ctx, c.BaseDir, e, content); err != nil {
				return fmt.Errorf("bring %s: %w", name, err)
			}
		}
		r.Steps = append(r.Steps, clone.Step{Kind: clone.Replace, Entry: e})
	}
	j := cloneJob{app: a, config: c}
	return j.printClone(&r)
}

// toldBy is what one agent told of its files last.
func (a *app) toldBy(ctx context.Context, c *config.Config, instance string) (*toldFiles, error) {
	db, err := open(ctx, c, lease.MaxAttempt, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	defer db.Close()
	events, err := a.history(ctx, c, db)
	if err != nil {
		return nil, err
	}
	told := otherFiles(events, c.Instance.ID, instance)
	if told == nil {
		return nil, &failure{code: exitFailed, err: fmt.Errorf("%s has not told which files it has", instance), hint: "its agent does so when it starts (`hotcold run`)"}
	}
	return told, nil
}
