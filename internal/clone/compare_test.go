package clone_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hotcold/hotcold/internal/clone"
	"github.com/hotcold/hotcold/internal/config"
)

// found makes a twin, changes the back-up, and compares from there.
func found(t *testing.T, change func(id keyPair, backUp string)) []clone.Difference {
	t.Helper()
	id := newKeyPair(t)
	primary, backUp := node(t, id), t.TempDir()
	cloned(t, open(t, primary), open(t, backUp), clone.Intent{})
	change(id, backUp)
	return clone.Compare(manifest(t, open(t, backUp)), manifest(t, open(t, primary)), nodeSelection(), "machine-a")
}

func TestWhatADifferenceMeans(t *testing.T) {
	const keys = "certificates/nodekeystore.jks"
	for name, c := range map[string]struct {
		change func(id keyPair, backUp string)
		path   string
		weight clone.Weight
		text   string
	}{
		"another identity": {func(_ keyPair, dir string) { put(t, dir, keys, newKeyPair(t).store(t, password), 0o600) },
			keys, clone.Fault, "holds another identity than on machine-a: SHA256 "},
		"a certificate issued anew for the same key": {func(id keyPair, dir string) {
			put(t, dir, keys, keyPair{id.key, issue(t, id.key, 2)}.store(t, password), 0o600)
		}, keys, clone.Warning, "holds the same keys as on machine-a with certificates that were issued anew"},
		"the same keys written otherwise": {func(id keyPair, dir string) { put(t, dir, keys, id.store(t, password), 0o600) },
			keys, clone.Note, "is written otherwise than on machine-a, and holds the same keys and certificates"},
		"a store that nobody can open": {func(id keyPair, dir string) { put(t, dir, keys, id.store(t, "another"), 0o600) },
			keys, clone.Fault, "differs from that of machine-a, and what is in it is not known (no password of the node's configuration opens it)"},
		"a store that is no store": {func(_ keyPair, dir string) { put(t, dir, keys, []byte("nonsense"), 0o600) },
			keys, clone.Fault, "what is in it is not known (it is neither JKS nor PKCS #12)"},
		"a store that is missing": {func(_ keyPair, dir string) { remove(t, dir, keys) },
			keys, clone.Fault, "is missing here and there on machine-a"},
		"old network parameters": {func(_ keyPair, dir string) { put(t, dir, "network-parameters", []byte("older"), 0o644) },
			"network-parameters", clone.Warning, "differs from that of machine-a ("},
		"a CorDapp that is missing": {func(_ keyPair, dir string) { remove(t, dir, "cordapps/app.jar") },
			"cordapps/app.jar", clone.Warning, "is missing here and there on machine-a"},
		"a CorDapp too many": {func(_ keyPair, dir string) { put(t, dir, "cordapps/old.jar", nil, 0o644) },
			"cordapps/old.jar", clone.Warning, "is here and missing on machine-a"},
		"other permissions": {func(_ keyPair, dir string) { put(t, dir, "drivers/postgresql.jar", []byte("driver"), 0o600) },
			"drivers/postgresql.jar", clone.Note, "has permissions 0600 here and 0644 on machine-a"},
		"a link in the place of a file": {func(_ keyPair, dir string) {
			remove(t, dir, "drivers/postgresql.jar")
			symlink(t, "../corda-4.12.jar", filepath.Join(dir, "drivers/postgresql.jar"))
		}, "drivers/postgresql.jar", clone.Warning, "is a link to ../corda-4.12.jar here and is a file on machine-a"},
	} {
		d := found(t, c.change)
		if len(d) != 1 || d[0].Path != c.path || d[0].Weight != c.weight || !strings.HasPrefix(d[0].Text, c.text) && !strings.HasSuffix(d[0].Text, c.text) {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// Unknown is not no: a link out of the base directory is told, and not called missing.
func TestALinkThatLeadsOutIsLeftOutAndTold(t *testing.T) {
	d := found(t, func(_ keyPair, dir string) {
		symlink(t, "/etc/hostname", filepath.Join(dir, "cordapps/out.jar"))
		symlink(t, "../../outside", filepath.Join(dir, "cordapps/up.jar"))
		symlink(t, "../artemis", filepath.Join(dir, "cordapps/journal"))
	})
	if len(d) != 3 || d[0].Weight != clone.Note || !strings.Contains(d[1].Text, "leads out of the base directory (/etc/hostname)") {
		t.Errorf("%+v", d)
	}
}

func TestTheWrongDirectionIsRefused(t *testing.T) {
	id, other := newKeyPair(t), newKeyPair(t)
	primary, empty := node(t, id), t.TempDir()
	intent := clone.Intent{From: "back-up", To: "primary"}
	decide := func(from, to string, i clone.Intent) []clone.Refusal {
		_, refusals := clone.Decide(manifest(t, open(t, from)), manifest(t, open(t, to)), nodeSelection(), i)
		return refusals
	}
	if r := decide(empty, primary, intent); len(r) != 5 || !strings.Contains(r[0].Text, "is this the side to copy from?") || !strings.Contains(r[2].Text, "is this the right direction?") {
		t.Errorf("an empty back-up over the primary: %+v", r)
	}
	r := decide(node(t, other), primary, intent)
	if len(r) != 3 || !r[0].Identity || !strings.Contains(r[0].Text, clone.Fingerprint(digest(other.cert))) || !strings.Contains(r[0].Text, clone.Fingerprint(digest(id.cert))) {
		t.Errorf("another identity over the primary: %+v", r)
	}
	if r := decide(node(t, other), primary, clone.Intent{ReplaceIdentity: true}); len(r) != 0 {
		t.Errorf("it was asked for: %+v", r)
	}
	renewed := t.TempDir()
	cloned(t, open(t, primary), open(t, renewed), clone.Intent{})
	put(t, renewed, "certificates/sslkeystore.jks", keyPair{id.key, issue(t, id.key, 9)}.store(t, password), 0o600)
	if r := decide(renewed, primary, intent); len(r) != 0 {
		t.Errorf("the same key with a new certificate is no other identity: %+v", r)
	}
}

func TestKeysComeLast(t *testing.T) {
	steps, _ := clone.Decide(manifest(t, open(t, node(t, newKeyPair(t)))), clone.Manifest{}, nodeSelection(), clone.Intent{})
	if len(steps) != 9 || steps[0].Path != "cordapps/app.jar" || steps[len(steps)-1].Path != "network-parameters" {
		t.Errorf("steps %v", steps)
	}
}

func TestSelectionsThatCannotBeAreRefused(t *testing.T) {
	for path, want := range map[string]string{
		"../other": "is no path in the base directory", "/etc": "is no path in the base directory", "": "is no path", "./": "is no path",
		"artemis/": "is never copied", "process-id": "is never copied", "logs/node.log": "is never copied", "persistence.mv.db": "is never copied",
		"[": "is no pattern", "extra/": "", "lib/*.jar": "",
	} {
		err := clone.Selection{Wanted: []clone.Wanted{{Path: path}}, Never: clone.NeverOfAnyNode()}.Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
}

func TestExcludedFilesAreNotListed(t *testing.T) {
	dir := node(t, newKeyPair(t))
	sel := nodeSelection()
	sel.Exclude = []string{"cordapps/config/", "*.jks", "drivers"}
	m, err := clone.Build(t.Context(), open(t, dir), sel, clone.BuildOptions{})
	if err != nil || len(m.Entries) != 4 {
		t.Errorf("%v, %v", m.Entries, err)
	}
}

func TestAManifestHasBounds(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "cordapps/"+strings.Repeat("d/", clone.MaxDepth+1)+"deep.jar", nil, 0o644)
	_, err := clone.Build(t.Context(), open(t, dir), nodeSelection(), clone.BuildOptions{})
	if err == nil || !strings.Contains(err.Error(), "directories deep") {
		t.Errorf("depth: %v", err)
	}
	dir = t.TempDir()
	put(t, dir, "cordapps/a", nil, 0o644)
	if err := os.Truncate(filepath.Join(dir, "cordapps/a"), clone.MaxBytes+1); err != nil {
		t.Skip("no file of that size can be made here: ", err)
	}
	_, err = clone.Build(t.Context(), open(t, dir), nodeSelection(), clone.BuildOptions{})
	if err == nil || !strings.Contains(err.Error(), "64 GiB") {
		t.Errorf("size: %v", err)
	}
}

func TestAManifestSaysNothingOfASecret(t *testing.T) {
	m := manifest(t, open(t, node(t, newKeyPair(t))))
	text := m.Digest()
	for _, e := range m.Entries {
		if len(e.Keys) > 0 && (e.Keys[0].Trusted || len(e.Keys[0].Public) != 64) {
			t.Errorf("%+v", e)
		}
	}
	if len(text) != 64 || strings.Contains(text, password) {
		t.Errorf("digest %q", text)
	}
	if got := config.NewSecret(password).String(); got == password {
		t.Error(got)
	}
}

// Peers come and go in additional-node-infos/ while the node is hot.
func TestWhatTheNodeItselfWritesIsNoMoreThanANote(t *testing.T) {
	id := newKeyPair(t)
	primary, backUp := node(t, id), t.TempDir()
	cloned(t, open(t, primary), open(t, backUp), clone.Intent{})
	sel := nodeSelection()
	sel.Wanted = append(sel.Wanted, clone.Wanted{Path: "additional-node-infos/"})
	sel.Loose = []string{"additional-node-infos/"}
	build := func(dir string) clone.Manifest {
		m, err := clone.Build(t.Context(), open(t, dir), sel, clone.BuildOptions{Passwords: passwords()})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	before := build(primary).Firm(sel).Digest()
	put(t, primary, "additional-node-infos/nodeInfo-1", []byte("peer"), 0o644)
	here, there := build(backUp), build(primary)
	if d := clone.Compare(here, there, sel, "machine-a"); len(d) != 1 || d[0].Weight != clone.Note {
		t.Errorf("%+v", d)
	}
	if there.Firm(sel).Digest() != before || there.Digest() == here.Digest() {
		t.Error("a file in which the node writes changes what is told")
	}
}
