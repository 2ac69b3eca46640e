package cli

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/machine"
)

// endMargin is what the agent itself needs to end, over the node's stop and the fence.
const endMargin = 15 * time.Second

// machine looks at what this machine is like.
func (k *checker) machine(ctx context.Context) {
	o := k.machineOptions(k.conf)
	if twin := locked(k.conf.RuntimeDir); twin != nil {
		o.Agent = twin.PID // the agent's limits are the node's, not those of this shell
	}
	for _, f := range machine.Look(ctx, o) {
		k.r.next(string(f.Level), "machine", f.Next, "%s", f.Text)
	}
	k.probeListener(ctx)
	k.otherMachines()
}

// otherMachines says what the other agents found on theirs. A fault over there is no fault of this machine.
func (k *checker) otherMachines() {
	if k.seen == nil {
		return
	}
	for _, m := range k.seen.Instances {
		if m.ID == k.conf.Instance.ID || m.Stale || m.State == agent.Ended || m.Checks == nil {
			continue
		}
		for _, f := range m.Checks.Findings {
			k.r.next(string(machine.Warning), "machine", f.Next, "%s: %s", m.ID, f.Text)
		}
	}
}

// machineOptions are what a look at this machine wants to know.
func (a *app) machineOptions(c *config.Config) machine.Options {
	t, _ := timing(c) // an error is told elsewhere, and leaves the fence out
	o := machine.Options{BaseDir: c.BaseDir, StopTime: c.Node.Stop.Timeout + t.Fence + endMargin, Java: a.javaOf(c)}
	o.Rooms = []machine.Directory{{What: "base directory", Path: c.BaseDir}, {What: "runtime directory", Path: c.RuntimeDir}}
	if c.Node.Output.File != "" {
		o.Rooms = append(o.Rooms, machine.Directory{What: "directory of the node's output", Path: filepath.Dir(c.Node.Output.File)})
	}
	return o
}

// javaOf is how the node starts Java, where its command does that itself.
func (a *app) javaOf(c *config.Config) machine.Java {
	command := c.Node.Command
	if filepath.Base(command[0]) != "java" {
		return machine.Java{}
	}
	j := machine.Java{Program: command[0], Dir: c.Node.Dir, Env: a.nodeEnv(c.Node.Env)}
	for i, word := range command[:len(command)-1] {
		if word == "-jar" && c.Preset.Name == config.PresetCorda {
			if j.CordaJar = command[i+1]; !filepath.IsAbs(j.CordaJar) {
				j.CordaJar = filepath.Join(c.Node.Dir, j.CordaJar)
			}
		}
	}
	return j
}

// maxTwinFindings is how many differences a check shows; hotcold diff shows all.
const maxTwinFindings = 8

// twins says whether this machine has what the other one has.
func (k *checker) twins(ctx context.Context) {
	c, r := k.conf, k.r
	sel, err := selectionOf(c)
	if err != nil {
		r.add("fault", "twins", "%v", err)
		return
	}
	if len(sel.Wanted) == 0 {
		return
	}
	here, err := k.manifestHere(ctx, c, sel)
	if err != nil {
		r.add("fault", "twins", "%v", err)
		return
	}
	for _, w := range sel.Missing(here) {
		r.next("fault", "twins", "hotcold clone brings it from the other machine", "%s is not here: %s", w.Path, w.Why)
	}
	for _, left := range here.Left {
		r.add("note", "twins", "%s", left)
	}
	if k.db == nil {
		return
	}
	events, err := k.history(ctx, c, k.db)
	if err != nil {
		return // that the database does not answer was said
	}
	told := otherFiles(events, c.Instance.ID, "")
	if told == nil {
		r.next("note", "twins", "start the other machine's agent: hotcold run", "no other machine has told which files it has, so nothing is compared")
		return
	}
	report := &twinReport{Here: c.Instance.ID, Files: []fileDifference{}, Configuration: []difference{}}
	report.files(here, told, events, sel)
	if err := k.configurations(ctx, c, report, events, ""); err != nil {
		r.add("warning", "twins", "%v", err)
	}
	k.twinFindings(report)
}

// twinFindings says what differs.
func (k *checker) twinFindings(t *twinReport) {
	const next = "`hotcold diff` shows all; `hotcold clone` on the machine that is right makes them alike"
	shown := 0
	for _, f := range t.Files {
		if f.Weight == clone.Note {
			continue
		}
		if shown++; shown <= maxTwinFindings {
			k.r.next(string(f.Weight), "twins", next, "%s %s", f.Path, f.Text)
		}
	}
	for _, d := range t.Configuration {
		if !d.Expected {
			if shown++; shown <= maxTwinFindings {
				k.r.next("warning", "twins", "give both machines the same, or say in the environment what is each machine's own", "%s", strings.TrimSpace(d.text))
			}
		}
	}
	switch {
	case shown > maxTwinFindings:
		k.r.next("warning", "twins", "`hotcold diff` shows all", "and %d more differences", shown-maxTwinFindings)
	case t.Differ && shown == 0:
		k.r.next("warning", "twins", next, "some files differ from those of %s", t.There)
	case shown == 0:
		k.r.add("ok", "twins", "this machine is a twin of %s: %s alike", t.There, count(t.Alike, "file"))
	}
}
