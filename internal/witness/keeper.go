package witness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// batchLimit is how many writes share one sync and one transaction. More
	// would only make the first of them wait longer.
	batchLimit = 64
	// insertTimeout bounds one transaction: longer than SQLite waits for a
	// lock, shorter than a person would.
	insertTimeout = 5 * time.Second
)

// request asks the keeper for one thing; done is closed when it is answered.
type request struct {
	write, read ID // one of them, or
	list        bool
	done        chan struct{}

	// The answers: to write, to read, to list.
	err  error
	have bool
	ids  []ID
}

// keeper owns the journal and the table of one witness.
type keeper struct {
	w       *witness
	journal *journal
	asked   chan struct{} // holds one when queue is not empty

	mu    sync.Mutex // guards queue
	queue []*request // at most connLimit times pipelineLimit, and one each
}

func newKeeper(ctx context.Context, w *witness) (*keeper, error) {
	j, err := openJournal(w.o.Journal, w.o.Epoch)
	if err != nil {
		return nil, err
	}
	if _, err := w.o.DB.ExecContext(ctx, createTable); err != nil {
		j.file.Close() // nothing was written
		return nil, fmt.Errorf("create the table: %w", err)
	}
	if j.torn > 0 {
		w.say("found %d torn lines in the journal", j.torn)
	}
	return &keeper{w: w, journal: j, asked: make(chan struct{}, 1)}, nil
}

// ask puts a request into the queue and does not wait.
func (k *keeper) ask(r *request) {
	k.mu.Lock()
	k.queue = append(k.queue, r)
	k.mu.Unlock()
	k.nudge()
}

func (k *keeper) nudge() {
	select {
	case k.asked <- struct{}{}:
	default:
	}
}

// run answers requests until ctx ends, or until the journal fails.
func (k *keeper) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.asked:
			if err := k.answer(ctx, k.batch()); err != nil {
				return err
			}
		}
	}
}

// batch takes from the queue what waits there, up to the limit.
func (k *keeper) batch() []*request {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := min(len(k.queue), batchLimit)
	batch := slices.Clone(k.queue[:n])
	k.queue = slices.Delete(k.queue, 0, n)
	if len(k.queue) > 0 {
		k.nudge()
	}
	return batch
}

// answer does the writes of a batch first, so that a client which writes and
// then reads over one connection finds what it wrote.
func (k *keeper) answer(ctx context.Context, batch []*request) error {
	writes := make([]*request, 0, len(batch))
	for _, r := range batch {
		if r.write != "" {
			writes = append(writes, r)
		}
	}
	if err := k.write(ctx, writes); err != nil {
		return err
	}
	for _, r := range batch {
		switch {
		case r.write != "":
			continue // answered already
		case r.list:
			r.ids = slices.Sorted(maps.Keys(k.journal.have))
		default:
			_, r.have = k.journal.have[r.read]
		}
		close(r.done)
	}
	return nil
}

// write makes the writes durable and acknowledges them. An error of the table
// goes to the clients, an error of the journal ends the witness as well.
func (k *keeper) write(ctx context.Context, writes []*request) error {
	if len(writes) == 0 {
		return nil
	}
	o := &k.w.o
	entries := make([]entry, len(writes))
	for i, r := range writes {
		entries[i] = entry{o.Epoch, o.Instance, o.PID, r.write}
	}
	k.w.record.beat(o.Clock.Now().Boot)
	journalErr := k.journal.append(entries)
	err := journalErr
	if err == nil {
		// A write that has begun is brought to its end.
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), insertTimeout)
		err = insert(limited, o.DB, entries)
		cancel()
	}
	k.w.record.beat(o.Clock.Now().Boot)
	if err == nil {
		k.w.record.countWrites(len(writes))
	}
	for _, r := range writes {
		r.err = err
		close(r.done)
	}
	return journalErr
}
