package agent_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/lease/notice"
)

// Key stores here are plain files: what is in them is then not known, and another
// content is another identity.
func twinOptions() agent.TwinOptions {
	return agent.TwinOptions{
		Selection: clone.Selection{
			Wanted:   []clone.Wanted{{Path: "certificates/"}, {Path: "network-parameters"}, {Path: "cordapps/"}},
			Identity: []string{"certificates/nodekeystore.jks"}, Secret: []string{"certificates"},
		},
		Signed: []string{"network-parameters"}, Sync: config.SyncAsk,
	}
}

// twin gives an agent files, and has them compared.
func twin(files map[string]string, changes ...func(*agent.TwinOptions)) func(*agent.Options) {
	return func(o *agent.Options) {
		for name, text := range files {
			path := filepath.Join(o.BaseDir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				panic(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				panic(err)
			}
		}
		o.Twins = twinOptions()
		for _, c := range changes {
			c(&o.Twins)
		}
	}
}

func theFiles() map[string]string {
	return map[string]string{"certificates/nodekeystore.jks": "keys", "network-parameters": "signed", "cordapps/app.jar": "flows"}
}

func without(name string) map[string]string {
	files := theFiles()
	delete(files, name)
	return files
}

func with(name, text string) map[string]string {
	files := theFiles()
	files[name] = text
	return files
}

func TestTwinsAreSaidToBeAlike(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves, twin(theFiles()))
	a.untilState(agent.Hot)
	b := p.start("b", serves, twin(theFiles()))
	s := b.until("alike", func(s agent.Snapshot) bool { return s.Twins.State == agent.TwinsAlike && s.Twins.Digest != "" })
	if s.Twins.With != a.agent.Snapshot().Instance || s.Twins.Files != 3 {
		t.Errorf("%+v", s.Twins)
	}
	b.untilState(agent.Cold)
}

func TestAMachineWithAnotherIdentityIsNotReadyAndTakesNothingOver(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"differs from that of":              with("certificates/nodekeystore.jks", "others"),
		"is missing here and there on ":     without("certificates/nodekeystore.jks"),
		"in devMode the node would make it": without("certificates/nodekeystore.jks"),
	} {
		p := newPair(t)
		holder := twin(theFiles())
		if strings.Contains(name, "devMode") {
			holder = func(*agent.Options) {} // it tells nothing
		}
		a := p.start("a", serves, holder)
		a.untilState(agent.Hot)
		b := p.start("b", serves, twin(files, func(o *agent.TwinOptions) { o.DevMode = strings.Contains(name, "devMode") }))
		unready := func(s agent.Snapshot) bool {
			return s.State == agent.Cold && !s.Ready && strings.Contains(strings.Join(s.Reasons, ";"), name)
		}
		b.until("not ready, because it "+name, unready)
		a.stop(nil) // the lease is released: it is free to be taken
		<-a.ended
		b.until("the free lease is seen", func(s agent.Snapshot) bool { return s.Holder == "" && unready(s) })
		if s := b.agent.Snapshot(); s.Counters.Claims != 0 {
			t.Errorf("%s: it has claimed: %+v", name, s)
		}
		// A person makes them alike, and it takes over by itself.
		twin(theFiles())(&agent.Options{BaseDir: b.dir})
		b.untilState(agent.Hot)
	}
}

func TestAPersonMayVouchForAnotherIdentity(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves, twin(theFiles()))
	a.untilState(agent.Hot)
	b := p.start("b", serves, twin(with("certificates/nodekeystore.jks", "others"), func(o *agent.TwinOptions) { o.AllowOther = true }))
	b.until("it differs", func(s agent.Snapshot) bool { return s.Twins.State == agent.TwinsDiffer })
	b.untilState(agent.Cold)
	a.stop(nil)
	b.untilState(agent.Hot)
}

// Never both machines are kept from it: who had the lease last is right.
func TestTheLastHolderIsNotKeptFromTheLease(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves, twin(theFiles()))
	a.untilState(agent.Hot)
	b := p.start("b", serves, twin(with("certificates/nodekeystore.jks", "others")))
	b.until("not ready", func(s agent.Snapshot) bool { return s.Twins.Faults > 0 && !s.Ready })
	a.until("it differs too", func(s agent.Snapshot) bool { return s.Twins.Faults > 0 })
	if a.agent.Snapshot().State != agent.Hot {
		t.Error("the hot machine is not hot any more")
	}
	a.agent.EndTerm(nil)
	a.until("hot again", func(s agent.Snapshot) bool { return s.State == agent.Hot && s.Epoch > 1 })
}

func TestOtherFilesAreTakenNoteOfAndKeepNobodyFromTakingOver(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves, twin(with("network-parameters", "new")))
	a.untilState(agent.Hot)
	b := p.start("b", serves, twin(without("cordapps/app.jar")))
	s := b.until("it differs", func(s agent.Snapshot) bool { return s.Twins.Warnings == 2 && s.Twins.Advice != "" })
	if s.Twins.State != agent.TwinsDiffer || s.Twins.Since.IsZero() || s.Twins.Advice != "`hotcold clone --parameters` there brings network-parameters" {
		t.Errorf("%+v", s.Twins)
	}
	b.untilState(agent.Cold)
	// What is put there is seen without a restart.
	twin(with("network-parameters", "new"))(&agent.Options{BaseDir: b.dir})
	b.until("alike", func(s agent.Snapshot) bool { return s.Twins.State == agent.TwinsAlike })
}

func TestNetworkParametersComeByThemselvesAfterAFlagDay(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := p.start("a", serves, twin(theFiles()))
	a.untilState(agent.Hot)
	b := p.start("b", serves, twin(theFiles(), func(o *agent.TwinOptions) { o.Sync = config.SyncAuto }))
	b.until("alike", func(s agent.Snapshot) bool { return s.Twins.State == agent.TwinsAlike && s.Twins.Digest != "" })
	twin(with("network-parameters", "after the flag day"))(&agent.Options{BaseDir: a.dir})
	b.until("alike again", func(s agent.Snapshot) bool {
		text, err := os.ReadFile(filepath.Join(b.dir, "network-parameters"))
		return err == nil && string(text) == "after the flag day" && s.Twins.State == agent.TwinsAlike && s.Twins.Warnings == 0
	})
	events, err := b.db.Events(t.Context(), "test", 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
		if bytes.Contains(e.Document, []byte("keys")) && !bytes.Contains(e.Document, []byte(`"closed"`)) {
			t.Errorf("the content of a key store is told: %s", e.Document)
		}
	}
	if all := strings.Join(kinds, " "); !strings.Contains(all, agent.EventSynced) || strings.Count(all, agent.EventFiles) < 3 {
		t.Errorf("events %s", all)
	}
}

// What stands in the database is held against its digest before it becomes a file.
func TestAFileThatIsNotAsItsDigestSaysIsNotBrought(t *testing.T) {
	told := agent.FilesIn(notice.Event{Kind: agent.EventFiles, Document: document(t, "network-parameters", "forged")})
	if _, _, ok := told.Newer(clone.Manifest{}, "network-parameters"); ok {
		t.Error("it would be brought")
	}
	told = agent.FilesIn(notice.Event{Kind: agent.EventFiles, Document: document(t, "network-parameters", "signed")})
	if _, text, ok := told.Newer(clone.Manifest{}, "network-parameters"); !ok || string(text) != "signed" {
		t.Errorf("%q, %v", text, ok)
	}
}

func document(t *testing.T, name, content string) []byte {
	t.Helper()
	dir := t.TempDir()
	twin(map[string]string{name: "signed"})(&agent.Options{BaseDir: dir})
	d, err := clone.OpenDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m, err := clone.Build(t.Context(), d, twinOptions().Selection, clone.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(agent.Document{Files: &agent.Files{Digest: m.Digest(), Manifest: m, Signed: map[string][]byte{name: []byte(content)}}})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
