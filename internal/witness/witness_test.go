package witness

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/clock"
	"github.com/hotcold/hotcold/internal/testserver"
)

func TestWitnessAcknowledgesWhatJournalAndTableHave(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	got := a.ask(a.p2p, "who", "write one", "write two", "write one", "read one", "read three", "write bad id", "nonsense")
	want := []string{"witness A 1", "ok one", "ok two", "ok one", "found one", "missing three", `err - not a request: "write bad id"`, `err - not a request: "nonsense"`}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("answer %d is %q, want %q", i, got[i], want[i])
		}
	}
	if got := a.ask(a.p2p, "list", "", ""); strings.Join(got, ",") != "id one,id two,end 2" {
		t.Errorf("list: %q", got)
	}
	a.kill()
	r := s.audit("one", "two")
	faultless(t, r)
	if r.Acked != 2 || r.Journaled != 2 || r.Table != 2 {
		t.Fatalf("got %+v", r)
	}
}

func TestWitnessServesRPCAndWeb(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 7)
	a.write("one")
	if got := a.ask(a.rpc, "status")[0]; !strings.HasPrefix(got, "ok instance=A epoch=7 pid=") || !strings.HasSuffix(got, " state=ready writes=1") {
		t.Errorf("status: %q", got)
	}
	req, _ := http.NewRequestWithContext(within(t, patience), http.MethodGet, "http://"+a.web+"/", nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || string(body) != "witness A, epoch 7\n" {
		t.Errorf("%s: %q", resp.Status, body)
	}
}

func TestWitnessEndsInOrderWhenToldTo(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1, "--slow-stop", "30ms")
	a.write("one")
	before := clock.System().Now().Boot
	a.signal(syscall.SIGTERM)
	if code := a.end(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	l := s.lives()[0]
	if !l.Ended || l.Alive || l.Writes != 1 || l.Last-before < 30*time.Millisecond || l.Ready < l.Start {
		t.Fatalf("got %+v, told to end at %v", l, before)
	}
}

func TestWitnessRefusesAnEpochThatIsOver(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 5)
	a.write("one")
	a.kill()
	b := s.cast("B", 4)
	b.hear("epoch 4 is over: the journal has seen epoch 5")
	if code := b.end(); code != 1 {
		t.Fatalf("exit code %d", code)
	}
	var stale *StaleEpochError
	if _, err := openJournal(s.journal, 4); !errors.As(err, &stale) || stale.Seen != 5 {
		t.Fatalf("got %v", err)
	}
	s.start("B", 5).kill()
}

func TestWitnessGoesOnBehindATornLine(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	a.write("one", "two")
	a.kill()
	torn, err := os.ReadFile(s.journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.journal, torn[:len(torn)-5], 0o644); err != nil {
		t.Fatal(err)
	}
	b := s.start("B", 2)
	if got := b.ask(b.p2p, "read one", "read two"); got[0] != "found one" || got[1] != "missing two" {
		t.Fatalf("got %q", got)
	}
	b.write("three")
	b.kill()
	r := s.audit("one", "three")
	faultless(t, r)
	if r.Torn != 1 {
		t.Fatalf("%d torn lines", r.Torn)
	}
	// The table has it, the journal has lost it: an acknowledged write is gone.
	faulty(t, s.audit("one", "two", "three"), "1 acknowledged writes are lost, the first of them two")
}

func TestHarmIsObeyed(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	if got := a.ask(a.rpc, "harm nonsense", "harm exit x", "harm slow-stop 1ms"); got[0] != `err no such harm: "nonsense"` || got[2] != "ok" {
		t.Fatalf("got %q", got)
	}
	_, _ = ask(within(t, patience), a.rpc, "harm exit 7")
	if code := a.end(); code != 7 {
		t.Fatalf("exit code %d", code)
	}
	b := s.start("B", 2)
	_, _ = ask(within(t, patience), b.rpc, "harm kill")
	if code := b.end(); code != -1 {
		t.Fatalf("exit code %d", code)
	}
	for _, l := range s.lives() {
		if l.Ended || l.Alive {
			t.Fatalf("got %+v", l)
		}
	}
}

func TestAWitnessThatHangsLivesOnAndAnswersNothing(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	a.hang()
	for _, address := range []string{a.p2p, a.rpc} {
		if got, err := ask(within(t, 50*time.Millisecond), address, "who"); err == nil {
			t.Errorf("answered %q", got)
		}
	}
	req, _ := http.NewRequestWithContext(within(t, 50*time.Millisecond), http.MethodGet, "http://"+a.web+"/", nil)
	if resp, err := http.DefaultClient.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("answered %s", resp.Status)
	}
	if !s.lives()[0].Alive {
		t.Fatal("dead")
	}
	a.signal(syscall.SIGTERM)
	if code := a.end(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

func TestAWitnessThatIgnoresTermDiesOnlyOfKill(t *testing.T) {
	for _, byHarm := range []bool{false, true} {
		s := newScene(t)
		var a *actor
		if byHarm {
			a = s.start("A", 1)
			a.ask(a.rpc, "harm ignore-term")
		} else {
			a = s.start("A", 1, "--ignore-term")
		}
		a.signal(syscall.SIGTERM)
		a.hear("ignores")
		a.write("one")
		a.kill()
		faultless(t, s.audit("one"))
	}
}

func TestHarmIsRefusedWhereItIsNotAllowed(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1, "--harm=false")
	if got := a.ask(a.rpc, "harm kill"); got[0] != "err harm is not allowed here" {
		t.Fatalf("got %q", got)
	}
}

func TestWitnessDoesNotStartOnATakenPort(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	b := s.cast("B", 1, "--web", a.web)
	b.hear("open a port")
	if code := b.end(); code != 1 {
		t.Fatalf("exit code %d", code)
	}
}

func TestWrongArgumentsAreRefusedInOneSentence(t *testing.T) {
	env := func(v string) func(string) string { return func(string) string { return v } }
	for _, c := range []struct {
		args  []string
		epoch string
		want  string
	}{
		{[]string{"more"}, "1", `witness: "more" is not an argument`},
		{[]string{"--instance", "A"}, "x", `witness: HOTCOLD_EPOCH="x" is not an epoch`},
		{[]string{"--instance", "a b"}, "", `instance "a b" is not a name`},
	} {
		err := Command(t.Context(), Process{Args: c.args, Getenv: env(c.epoch), Open: openSQLite, Out: io.Discard})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestWitnessWritesIntoPostgreSQLAsWell(t *testing.T) {
	s := newScene(t)
	db, err := sql.Open("pgx", testserver.Postgres(t, testserver.NoFsync()).DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s.db = db
	a := &actor{t: t, p2p: port(t), rpc: port(t), web: port(t)}
	out, in := io.Pipe()
	a.out = bufio.NewScanner(out)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		defer in.Close()
		done <- Run(ctx, Options{Instance: "A", Epoch: 1, PID: os.Getpid(), P2P: a.p2p, RPC: a.rpc, Web: a.web,
			Journal: s.journal, Records: s.records, DB: db, Clock: clock.System(), Out: in})
	}()
	a.hear("ready")
	if got := a.ask(a.p2p, "write one", "write two", "write one"); got[0] != "ok one" || got[1] != "ok two" || got[2] != "ok one" {
		t.Errorf("got %q", got)
	}
	cancel()
	a.hear("ended")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r := s.audit("one", "two")
	faultless(t, r)
	if r.Table != 2 || r.Lives[0].Alive || !r.Lives[0].Ended {
		t.Fatalf("got %+v", r)
	}
}

// The node says so and stays; what it cannot store it does not acknowledge.
func TestAWriteThatTheTableRefusesIsNotAcknowledged(t *testing.T) {
	s := newScene(t)
	a := s.start("A", 1)
	if _, err := s.db.Exec(`DROP TABLE witness_write`); err != nil {
		t.Fatal(err)
	}
	if got := a.ask(a.p2p, "write one"); !strings.HasPrefix(got[0], "err one insert a write: ") {
		t.Fatalf("got %q", got)
	}
	if _, err := s.db.Exec(createTable); err != nil {
		t.Fatal(err)
	}
	a.write("one") // it is in the journal once and now in the table as well
	a.kill()
	faultless(t, s.audit("one"))
}
