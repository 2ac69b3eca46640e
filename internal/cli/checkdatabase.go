package cli

import (
	"context"
	"log/slog"
	"strings"

	"github.com/hotcold/hotcold/internal/agent"
	"github.com/hotcold/hotcold/internal/config"
	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// open looks at the database, the lease in it, and how far its promise goes.
func (k *checker) open(ctx context.Context, t lease.Timing) {
	c, r := k.conf, k.r
	db, err := open(ctx, c, t.Attempt, slog.New(slog.DiscardHandler))
	if err != nil {
		r.add("fault", "database", "%v", err)
		return
	}
	k.db = db
	o, err := overview(ctx, c, db)
	if err != nil {
		_, hint := judge(err)
		r.next("fault", "database", hint, "%v", err)
		return
	}
	k.seen = &o
	if !k.wants("database") {
		return
	}
	r.add("ok", "database", "%s answers and may be used; it is incarnation %s", c.Database, o.Incarnation)
	switch c.Database.Dialect {
	case config.DialectSQLite:
		r.next("warning", "database", "name a server in hotcold.database.url", "SQLite is a file of this machine: it keeps agents of one machine apart, and is no lease between two")
	case config.DialectEtcd:
		r.add("note", "database", "restore a snapshot of etcd under a new cluster token only, with the agents stopped")
		if len(c.Database.Hosts) < 3 {
			r.next("warning", "database", "name all of them, three or five, so that one may be lost", "%d member(s) of etcd are named", len(c.Database.Hosts))
		}
	}
	k.guarantee(ctx)
}

func (k *checker) close() {
	if k.db != nil {
		k.db.Close()
	}
}

// guarantee says how far the promise goes, and what would make it go further.
func (k *checker) guarantee(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, databaseLimit)
	defer cancel()
	c, r := k.conf, k.r
	if c.Database.Fencing.On {
		k.fencing(ctx)
	}
	g := k.seen.Guarantee
	if g == nil {
		r.next("warning", "database", "say it in hotcold.database.replication", "how the database is replicated could not be found out, so the level is C at best")
		return
	}
	level := "ok"
	if g.Level == sqlstore.LevelC {
		level = "warning"
	}
	r.next(level, "database", g.Raise, "level %s: %s", g.Level, g.Text)
}

// fencing says whether the other machines' nodes could be locked out.
func (k *checker) fencing(ctx context.Context) {
	f := fenceOf(k.conf)
	faults, grants, err := k.db.FencingFaults(ctx, f)
	if err != nil {
		faults = append(faults, err.Error())
	}
	for i, fault := range faults {
		next := ""
		if i == len(faults)-1 && len(grants) > 0 {
			next = "an administrator mends that with: " + strings.Join(grants, "; ") + ";"
		}
		k.r.next("fault", "database", next, "fencing: %s", fault)
	}
	if len(faults) == 0 {
		k.r.add("ok", "database", "fencing: the agent may lock %s out of the database, and let %s in", strings.Join(f.Others, ", "), f.Mine)
	}
}

// pair compares with what the other agents run with, and says what they found.
func (k *checker) pair(t lease.Timing) {
	c, r, o := k.conf, k.r, k.seen
	var others int
	for _, m := range o.Instances {
		if m.ID == c.Instance.ID || m.Stale || m.State == agent.Ended {
			continue
		}
		others++
		switch {
		case m.State == agent.Cold && m.Ready:
			r.add("ok", "pair", "%s is ready to take over, %.0f s ago", m.ID, m.AgeSeconds)
		case m.State == agent.Cold:
			r.next("fault", "pair", "run `hotcold check` there", "%s could not take over: %s", m.ID, strings.Join(m.Reasons, "; "))
		default:
			r.add("ok", "pair", "%s is %s, %.0f s ago", m.ID, m.State, m.AgeSeconds)
		}
	}
	if others == 0 {
		r.next("warning", "pair", "start the other machine's agent: hotcold run", "no other agent is up: nobody could take over")
	}
	if w := o.Timing; w != nil && o.Holder != nil && !o.Holder.Released &&
		(w.WaitSeconds != t.Wait.Seconds() || w.UpdateSeconds != t.Update.Seconds() || w.FenceSeconds != t.Fence.Seconds()) {
		r.next("fault", "pair", "give both machines the same numbers", "%s runs with updateInterval %v s, waitInterval %v s, fenceTimeout %v s",
			o.Holder.Instance, w.UpdateSeconds, w.WaitSeconds, w.FenceSeconds)
	}
	for _, w := range o.Warnings {
		r.next("warning", "pair", o.Hint, "%s", w)
	}
}
