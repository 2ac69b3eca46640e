package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hotcold/hotcold/hocon"
	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/internal/corda"
	"github.com/hotcold/hotcold/lease/notice"
)

// fileDifference is one file in which two machines differ, for machines.
type fileDifference struct {
	clone.Difference
	// Since is when it was first told that they do; missing where that is before all that is on record.
	Since time.Time `json:"since,omitzero"`
}

// twinReport is what hotcold diff says.
type twinReport struct {
	Here   string    `json:"here"`
	There  string    `json:"there"`
	ToldAt time.Time `json:"toldAt"`
	// Files differ; Alike counts those that do not.
	Files []fileDifference `json:"files"`
	Alike int              `json:"alike"`
	// Configuration are the differences of the configurations; missing where the other has not told its own.
	Configuration []difference `json:"configuration"`
	Notes         []string     `json:"notes"`
	// Differ: something is other than it may be.
	Differ bool `json:"differ"`
}

func (a *app) diffCommand() *cobra.Command {
	var machine string
	c := &cobra.Command{
		Use: "diff", Short: "are the two machines twins: files, keys and configuration", Args: noArgs, GroupID: "see",
		Long: `diff compares what this machine has with what the other one's agent told of its
own: the files of which hotcold clone makes twins, by digest; key stores by the
certificates in them; and the configuration, without secrets. It says since when
they differ, what that breaks, and what may differ because it belongs to one
machine. It ends with 0 when they are twins, and with 8 otherwise.`,
		Example: `  hotcold diff
  hotcold diff --json | jq -r '.files[].path'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.twinsNow(cmd.Context(), machine)
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(r)
			} else {
				err = a.printTwins(r)
			}
			if err == nil && r.Differ {
				return &failure{code: exitNotWell, err: errNotWell}
			}
			return err
		},
	}
	a.jsonFlag(c)
	c.Flags().StringVar(&machine, "with", "", "the `machine` to compare with; the one that told something last without it")
	return c
}

// twinsNow compares this machine as it is with what another one told last.
func (a *app) twinsNow(ctx context.Context, machine string) (*twinReport, error) {
	c, db, err := a.opened(ctx)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	sel, err := selectionOf(c)
	if err != nil {
		return nil, err
	}
	events, err := a.history(ctx, c, db)
	if err != nil {
		return nil, err
	}
	r := &twinReport{Here: c.Instance.ID, Files: []fileDifference{}, Configuration: []difference{}, Notes: []string{}}
	told := otherFiles(events, c.Instance.ID, machine)
	if len(sel.Wanted) > 0 {
		if told == nil {
			return nil, &failure{code: exitFailed, err: errors.New("no other machine has told which files it has"),
				hint: "its agent does so when it starts (`hotcold run`)"}
		}
		here, err := a.manifestHere(ctx, c, sel)
		if err != nil {
			return nil, err
		}
		r.files(here, told, events, sel)
	}
	return r, a.configurations(ctx, c, r, events, machine)
}

// history reads all that is on record, the newest first.
func (a *app) history(ctx context.Context, c *config.Config, db database) ([]notice.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	return db.Events(ctx, c.LeaseName, reportsLookedAt)
}

// manifestHere lists this machine's files.
func (a *app) manifestHere(ctx context.Context, c *config.Config, sel clone.Selection) (clone.Manifest, error) {
	passwords, err := a.storePasswords(ctx, c)
	if err != nil {
		return clone.Manifest{}, err
	}
	d, err := clone.OpenDirectory(c.BaseDir)
	if err != nil {
		return clone.Manifest{}, err
	}
	defer d.Close()
	p := a.newProgress()
	defer p.end()
	p.begin("reading "+c.BaseDir, 0)
	return clone.Build(ctx, d, sel, clone.BuildOptions{Passwords: passwords, Read: p.add})
}

// toldFiles is what another agent told of its files, and when.
type toldFiles struct {
	*agent.Files
	instance string
	at       time.Time
}

// otherFiles finds what another machine told last.
func otherFiles(events []notice.Event, self, machine string) *toldFiles {
	for _, e := range events {
		name, _, _ := strings.Cut(e.Instance, ":")
		if f := agent.FilesIn(e); f != nil && e.Instance != self && (machine == "" || machine == e.Instance || machine == name) {
			return &toldFiles{f, e.Instance, e.At}
		}
	}
	return nil
}

// files compares the files, and finds since when they differ.
func (r *twinReport) files(here clone.Manifest, told *toldFiles, events []notice.Event, sel clone.Selection) {
	r.There, r.ToldAt = told.instance, told.at
	if told.Cut {
		r.Differ = here.Firm(sel).Digest() != told.Digest
		r.Notes = append(r.Notes, told.instance+" has too many files to tell them one by one: "+
			map[bool]string{true: "some differ", false: "all are alike"}[r.Differ])
		return
	}
	var line []clone.Told
	for _, e := range slices.Backward(events) { // the oldest first
		if f := agent.FilesIn(e); f != nil && !f.Cut && (e.Instance == r.Here || e.Instance == r.There) {
			line = append(line, clone.Told{At: e.At, Here: e.Instance == r.Here, Manifest: f.Manifest})
		}
	}
	for _, d := range clone.Compare(here, told.Manifest.Only(sel), sel, told.instance) {
		f := fileDifference{Difference: d}
		if d.Weight != clone.Note {
			r.Differ = true
			f.Since = clone.Since(line, d.Path)
		}
		r.Files = append(r.Files, f)
	}
	r.Alike = len(here.Entries)
	for _, f := range r.Files {
		if _, ok := here.At(f.Path); ok {
			r.Alike--
		}
	}
}

// configurations compares the configurations, as far as the other has told its own.
func (a *app) configurations(ctx context.Context, c *config.Config, r *twinReport, events []notice.Event, machine string) error {
	changes, other, err := a.reportedChanges(ctx, c, events, machine)
	if err != nil {
		return err
	}
	if other == "" {
		r.Notes = append(r.Notes, "no other machine has told how it is configured")
		return nil
	}
	if r.There == "" {
		r.There = other
	}
	for _, ch := range changes {
		d := differenceOf(ch)
		r.Configuration = append(r.Configuration, d)
		r.Differ = r.Differ || !d.Expected
	}
	return nil
}

func (a *app) printTwins(r *twinReport) error {
	marks := map[clone.Weight]string{clone.Fault: "✗", clone.Warning: "!", clone.Note: "·"}
	for _, f := range r.Files {
		line := fmt.Sprintf("%s %s %s", marks[f.Weight], f.Path, f.Text)
		if !f.Since.IsZero() {
			line += ", since " + f.Since.UTC().Format(time.RFC3339)
		}
		if f.Why != "" && f.Weight != clone.Note {
			line += " (" + f.Why + ")"
		}
		if _, err := fmt.Fprintln(a.Stdout, line); err != nil {
			return err
		}
	}
	for _, d := range r.Configuration {
		mark, end := "!", ""
		if d.Expected {
			mark, end = "·", " (by design: it belongs to one machine)"
		}
		if _, err := fmt.Fprintf(a.Stdout, "%s %s%s\n", mark, d.text, end); err != nil {
			return err
		}
	}
	for _, note := range r.Notes {
		report(a.Stderr, "note", note)
	}
	verdict := "twins"
	if r.Differ {
		verdict = "no twins"
	}
	fmt.Fprintf(a.Stderr, "%s and %s: %s; %s alike\n", r.Here, r.There, verdict, count(r.Alike, "file"))
	return nil
}

// reportedChanges compares this machine's configuration with what another one's
// agent told last; other is empty where none has.
func (a *app) reportedChanges(ctx context.Context, c *config.Config, events []notice.Event, machine string) (changes []hocon.Change, other string, err error) {
	mine, err := a.report(ctx, c)
	if err != nil {
		return nil, "", err
	}
	here, err := corda.Reported(c.Instance.MachineName, mine)
	if err != nil {
		return nil, "", err
	}
	e, d, ok := lastReport(events, c.Instance.ID, machine)
	if !ok {
		return nil, "", nil
	}
	there, err := corda.Reported(d.Machine, d.Config)
	if err != nil {
		return nil, "", fmt.Errorf("read what %s told at %s: %w", e.Instance, e.At.UTC().Format(time.RFC3339), err)
	}
	return corda.Diff(here, there), e.Instance, nil
}
