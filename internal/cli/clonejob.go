package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
)

// cloneJob is one clone.
type cloneJob struct {
	*app
	config *config.Config
	flags  cloneFlags
	sel    clone.Selection
	from   clone.Side
	to     clone.Side
	other  peer
}

// cloneReport is what a clone says, for machines.
type cloneReport struct {
	From   string       `json:"from"`
	To     string       `json:"to"`
	DryRun bool         `json:"dryRun"`
	Steps  []clone.Step `json:"steps"`
	// Left are what could not be listed.
	Left  []string `json:"left"`
	Notes []string `json:"notes"`
}

func (j *cloneJob) run(ctx context.Context) error {
	passwords, err := j.storePasswords(ctx, j.config)
	if err != nil {
		return err
	}
	p := j.newProgress()
	defer p.end()
	var manifests [2]clone.Manifest
	for i, s := range []clone.Side{j.from, j.to} {
		p.begin("reading "+s.String(), 0)
		if manifests[i], err = clone.Build(ctx, s, j.sel, clone.BuildOptions{Passwords: passwords, Clock: j.Clock, Read: p.add}); err != nil {
			return err
		}
	}
	steps, refusals := clone.Decide(manifests[0], manifests[1], j.sel,
		clone.Intent{Delete: j.flags.delete, ReplaceIdentity: j.flags.identity, From: j.from.String(), To: j.to.String()})
	if len(refusals) > 0 {
		return refused(refusals)
	}
	r := &cloneReport{From: j.from.String(), To: j.to.String(), DryRun: j.flags.dryRun, Steps: steps, Left: append([]string{}, manifests[0].Left...), Notes: []string{}}
	given, err := j.nodeConf(ctx, r)
	if err != nil {
		return err
	}
	if !j.flags.dryRun {
		p.begin("copying to "+j.to.String(), bytesOf(r.Steps))
		err := clone.Copy(ctx, j.from, j.to, r.Steps, clone.CopyOptions{Given: given, Wrote: func(_ string, n int64) { p.add(n) }})
		if err == nil {
			err = clone.Sweep(j.to, manifests[1])
		}
		if err != nil {
			return &failure{code: exitOf(err), err: fmt.Errorf("clone: %w", err), hint: "run it again: it goes on where it was, and what was put in place is whole"}
		}
	}
	p.end()
	return j.printClone(r)
}

func exitOf(err error) int {
	code, _ := judge(err)
	return code
}

// refused says why nothing was copied.
func refused(all []clone.Refusal) error {
	var errs []error
	hint := ""
	for _, r := range all {
		errs = append(errs, fmt.Errorf("%s: %s", r.Path, r.Text))
		if r.Identity {
			hint = "compare the fingerprints; --replace-identity replaces the key stores of the machine that is written to"
		}
	}
	return &failure{code: exitRefused, err: errors.Join(errs...), hint: hint}
}

// bytesOf is what has to be brought over.
func bytesOf(steps []clone.Step) (n int64) {
	for _, s := range steps {
		if s.Kind == clone.Make || s.Kind == clone.Replace {
			n += s.Size
		}
	}
	return n
}

// storePasswords are the passwords that a Corda node's configuration has for its key stores.
func (a *app) storePasswords(ctx context.Context, c *config.Config) ([]config.Secret, error) {
	n, err := a.nodeOf(ctx, c, true)
	if err != nil || n == nil {
		return nil, err
	}
	var all []config.Secret
	for _, path := range []string{"keyStorePassword", "trustStorePassword"} {
		if v := n.Config.At(path); v.Exists() && v.Reveal() != "" {
			all = append(all, config.NewSecret(v.Reveal()))
		}
	}
	return all, nil
}

// nodeConf adds the step for the other machine's node.conf, where there is one to write.
func (j *cloneJob) nodeConf(ctx context.Context, r *cloneReport) (map[string][]byte, error) {
	if j.flags.noConf || j.flags.from != "" || j.config.Preset.Name != config.PresetCorda {
		return nil, nil
	}
	name, ok := inBase(j.config, j.config.NodeConf)
	if !ok {
		r.Notes = append(r.Notes, "node.conf lies outside of the base directory ("+j.config.NodeConf+"): bring it over by hand")
		return nil, nil
	}
	there, err := contentOf(j.to, name)
	if err != nil {
		return nil, fmt.Errorf("%s: on %s: %w", name, j.to, err)
	}
	if there != nil && !j.flags.conf {
		r.Notes = append(r.Notes, name+" is there already and was left alone; `hotcold config diff` there compares it with this one, --replace-conf writes it anew")
		return nil, nil
	}
	n, err := j.neighbour()
	if err != nil {
		return nil, err
	}
	twin, err := corda.ForNeighbour(j.config.NodeConf, n)
	if err != nil {
		return nil, fmt.Errorf("make the other machine's node.conf: %w", err)
	}
	if len(twin.Open) > 0 {
		return nil, openFields(j.config, twin.Open)
	}
	info, err := os.Stat(j.config.NodeConf)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(twin.Text)
	s := clone.Step{Kind: clone.Make, Entry: clone.Entry{Path: name, Size: int64(len(twin.Text)), Mode: 0o600,
		ModTime: info.ModTime().UTC().Truncate(time.Second), SHA256: hex.EncodeToString(sum[:])}}
	switch {
	case there != nil && string(there) == string(twin.Text):
		s.Kind = clone.Same
	case there != nil:
		s.Kind = clone.Replace
	}
	r.Steps = append(r.Steps, s)
	if len(twin.Changed) > 0 {
		r.Notes = append(r.Notes, name+" has the other machine's own values: "+strings.Join(twin.Changed, ", "))
	}
	if len(twin.Environment) > 0 {
		r.Notes = append(r.Notes, name+" takes from the environment of each machine: "+strings.Join(twin.Environment, ", "))
	}
	return map[string][]byte{name: twin.Text}, nil
}

// openFields says which values of the other machine nobody has named.
func openFields(c *config.Config, open []corda.Override) error {
	var names, sets []string
	for _, f := range open {
		names = append(names, fmt.Sprintf("%s (here %s)", f.Name, f.Value))
		sets = append(sets, "--set "+f.Name+"=...")
	}
	hint := strings.Join(sets, " ") + "; or --no-conf, and write it there by hand"
	if len(c.Machines) < 2 {
		hint = "name both machines with their addresses in hotcold.machines, or: " + hint
	}
	return &failure{code: exitConfig, err: fmt.Errorf("%s: what does the other machine have for %s?", c.NodeConf, strings.Join(names, ", ")), hint: hint}
}

// neighbour is what the other machine has of its own, as far as it is known.
func (j *cloneJob) neighbour() (corda.Neighbour, error) {
	n := corda.Neighbour{Hosts: map[string]string{}, Environ: j.Environ()}
	dir, err := j.WorkDir()
	if err != nil {
		return n, err
	}
	n.WorkDir = dir
	others := otherMachines(j.config)
	for _, o := range others {
		if o.Name != j.other.machine && (j.other.machine != "" || len(others) > 1) {
			continue
		}
		n.Name, n.Other = j.config.Instance.MachineName, o.Name
		for _, m := range j.config.Machines {
			if m.Name == j.config.Instance.MachineName && m.Address.IsValid() && o.Address.IsValid() {
				n.Hosts[m.Address.String()] = o.Address.String()
			}
		}
	}
	for _, s := range j.flags.set {
		name, value, ok := strings.Cut(s, "=")
		if _, field := corda.FieldAt(name); !ok || !field {
			return n, usage("--set %q: want field=value with a field of node.conf", name)
		}
		n.Fields = append(n.Fields, corda.Override{Name: name, Value: value})
	}
	return n, nil
}

// maxConfBytes is far beyond any configuration.
const maxConfBytes = 4 << 20

// contentOf reads a small file of a side; nil where there is none.
func contentOf(s clone.Side, name string) ([]byte, error) {
	info, err := s.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxConfBytes:
		return nil, errors.New("it is no file of a size that a configuration has")
	}
	f, err := s.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxConfBytes))
	return append([]byte{}, text...), err
}

// printClone says what was done, or would be.
func (j *cloneJob) printClone(r *cloneReport) error {
	if j.json {
		return j.printJSON(r)
	}
	var same, done int
	var bytes int64
	for _, s := range r.Steps {
		if s.Kind == clone.Same {
			same++
			continue
		}
		if s.Kind != clone.Keep {
			done++
		}
		bytes += bytesOf([]clone.Step{s})
		if _, err := fmt.Fprintf(j.Stdout, "%-11s %8s  %s\n", s.Kind, sizeInWords(s.Size), s.Path); err != nil {
			return err
		}
	}
	for _, left := range r.Left {
		report(j.Stderr, "warning", "left out: "+left)
	}
	for _, note := range r.Notes {
		report(j.Stderr, "note", note)
	}
	kept := slices.ContainsFunc(r.Steps, func(s clone.Step) bool { return s.Kind == clone.Keep })
	if kept {
		report(j.Stderr, "note", "what is marked keep is only on "+r.To+"; --delete removes it")
	}
	verb := "copied and read back"
	if r.DryRun {
		verb = "to copy; nothing was done"
	}
	fmt.Fprintf(j.Stderr, "%s to %s: %s (%s) %s, %d alike\n", r.From, r.To, count(done, "file"), strings.TrimSpace(sizeInWords(bytes)), verb, same)
	if !r.DryRun && done > 0 && !j.other.local() {
		fmt.Fprintf(j.Stderr, "a cold agent sees it by itself: nothing has to be restarted\n")
	}
	return nil
}

// sizeInWords is a size as a person reads it.
func sizeInWords(n int64) string {
	units := []string{"B", "kB", "MB", "GB"}
	f, i := float64(n), 0
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
