package ledger

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

type instanceRow struct {
	lease, id, machine, nonce, boot, state, document string
	written                                          int64
}

type eventRow struct {
	id                              int64
	lease, instance, kind, document string
	epoch, at                       int64
}

type requestRow struct {
	id                                       int64
	lease, kind, target, by, document, state string
	acceptedBy, answer                       string
	asked, ended                             int64 // ended is 0 until then
}

// What the statements keep.
const (
	keptEvents  = 10_000
	instanceAge = 24 * time.Hour
	requestAge  = 30 * 24 * time.Hour
)

func (l *Ledger) create([]any) (Answer, error) {
	if !l.now.made {
		l.now.made = true
		l.now.meta["schema"] = "1"
	}
	return Answer{}, nil
}

// survey is asked by the test servers themselves: made, or not.
func (l *Ledger) survey([]any) (Answer, error) {
	return Answer{Columns: []Kind{Truth}, Rows: [][]any{{l.now.made}}}, nil
}

func (l *Ledger) schemaVersion([]any) (Answer, error) {
	return Answer{Columns: []Kind{Text}, Rows: [][]any{{l.now.meta["schema"]}}}, nil
}

func (l *Ledger) signal(args []any) (Answer, error) {
	a := Answer{Columns: []Kind{Text}}
	if value, found := l.now.meta[args[0].(string)]; found {
		a.Rows = append(a.Rows, []any{value})
	}
	return a, nil
}

// raiseSignal raises a counter; one that is not there is 0.
func (l *Ledger) raiseSignal(args []any) (Answer, error) {
	name := args[0].(string)
	n, _ := strconv.Atoi(l.now.meta[name])
	l.now.meta[name] = strconv.Itoa(n + 1)
	return changed(1)
}

// number draws an id.
func (l *Ledger) number([]any) (Answer, error) {
	l.now.next++
	return Answer{Columns: []Kind{Number}, Rows: [][]any{{l.now.next}}}, nil
}

func (l *Ledger) announce(args []any) (Answer, error) {
	text := texts(args)
	row := instanceRow{text[0], text[1], text[2], text[3], text[4], text[5], text[6], l.micros()}
	for i, r := range l.now.instances {
		if r.lease == row.lease && r.id == row.id && r.nonce == row.nonce {
			l.now.instances[i] = row
			return changed(1)
		}
	}
	l.now.instances = append(l.now.instances, row)
	return changed(1)
}

func (l *Ledger) forgetInstances(args []any) (Answer, error) {
	text, before := texts(args), l.micros()-instanceAge.Microseconds()
	return forget(&l.now.instances, func(r instanceRow) bool {
		return r.lease == text[0] && r.id == text[1] && r.nonce != text[2] && r.written < before
	})
}

func (l *Ledger) instances(args []any) (Answer, error) {
	a := Answer{Columns: []Kind{Text, Text, Text, Text, Text, Text, LongText, Number, Number}}
	sorted := slices.SortedFunc(slices.Values(l.now.instances), func(x, y instanceRow) int {
		return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(y.written, x.written), cmp.Compare(x.nonce, y.nonce))
	})
	for _, r := range sorted {
		if r.lease == args[0] {
			a.Rows = append(a.Rows, []any{r.lease, r.id, r.machine, r.nonce, r.boot, r.state, r.document, r.written, l.micros() - r.written})
		}
	}
	return a, nil
}

func (l *Ledger) record(args []any) (Answer, error) {
	l.now.next++
	l.now.events = append(l.now.events, eventRow{
		id: l.now.next, lease: args[0].(string), instance: args[1].(string), kind: args[2].(string),
		epoch: args[3].(int64), document: args[4].(string), at: l.micros(),
	})
	return changed(1)
}

func (l *Ledger) forgetEvents(args []any) (Answer, error) {
	var ids []int64
	for _, r := range l.now.events {
		if r.lease == args[1] {
			ids = append(ids, r.id)
		}
	}
	if len(ids) <= keptEvents {
		return changed(0)
	}
	last := ids[len(ids)-keptEvents-1]
	return forget(&l.now.events, func(r eventRow) bool { return r.lease == args[0] && r.id <= last })
}

// events takes the lease and the limit, in either order.
func (l *Ledger) events(args []any) (Answer, error) {
	a := Answer{Columns: []Kind{Number, Text, Text, Text, Number, LongText, Number}}
	limit := args[1].(int64)
	for _, r := range slices.Backward(l.now.events) {
		if r.lease == args[0] && int64(len(a.Rows)) < limit {
			a.Rows = append(a.Rows, []any{r.id, r.lease, r.instance, r.kind, r.epoch, r.document, r.at})
		}
	}
	return a, nil
}

// ask takes an id that was drawn before as a sixth argument, or draws one.
func (l *Ledger) ask(args []any) (Answer, error) {
	text := texts(args[:5])
	var id int64
	if len(args) > 5 {
		id = args[5].(int64)
	} else {
		l.now.next++
		id = l.now.next
	}
	l.now.requests = append(l.now.requests, requestRow{
		id: id, lease: text[0], kind: text[1], target: text[2], by: text[3], document: text[4], state: "open", asked: l.micros(),
	})
	return Answer{Columns: []Kind{Number}, Rows: [][]any{{id}}, Changed: 1}, nil
}

func (l *Ledger) forgetRequests(args []any) (Answer, error) {
	before := l.micros() - requestAge.Microseconds()
	return forget(&l.now.requests, func(r requestRow) bool { return r.lease == args[0] && r.ended != 0 && r.ended < before })
}

func (l *Ledger) requests(args []any) (Answer, error) {
	return l.chosen(func(r requestRow) bool { return r.lease == args[0] && (r.state == "open" || r.state == "accepted") })
}

func (l *Ledger) request(args []any) (Answer, error) {
	return l.chosen(func(r requestRow) bool { return r.id == args[0] })
}

func (l *Ledger) chosen(wanted func(requestRow) bool) (Answer, error) {
	a := Answer{Columns: []Kind{Number, Text, Text, Text, Text, LongText, Text, Text, LongText, Number, Number, Number}}
	for _, r := range l.now.requests {
		if !wanted(r) {
			continue
		}
		var ended any
		if r.ended != 0 {
			ended = r.ended
		}
		a.Rows = append(a.Rows, []any{r.id, r.lease, r.kind, r.target, r.by, r.document, r.state, r.acceptedBy, r.answer, r.asked, ended, l.micros() - r.asked})
	}
	return a, nil
}

func (l *Ledger) accept(args []any) (Answer, error) {
	by := args[0].(string)
	return l.move(args[1], func(r *requestRow) bool {
		fits := r.state == "open" || r.state == "accepted" && r.acceptedBy == args[2]
		if fits {
			r.state, r.acceptedBy = "accepted", by
		}
		return fits
	})
}

func (l *Ledger) answer(args []any) (Answer, error) {
	state, text := args[0].(string), args[1].(string)
	return l.move(args[2], func(r *requestRow) bool {
		fits := r.state == "open" || r.state == "accepted"
		if fits {
			r.state, r.answer, r.ended = state, text, l.micros()
		}
		return fits
	})
}

func (l *Ledger) withdraw(args []any) (Answer, error) {
	return l.move(args[0], func(r *requestRow) bool {
		fits := r.state == "open" || r.state == "withdrawn"
		if fits {
			r.state, r.ended = "withdrawn", cmp.Or(r.ended, l.micros())
		}
		return fits
	})
}

func (l *Ledger) move(id any, change func(*requestRow) bool) (Answer, error) {
	for i := range l.now.requests {
		if l.now.requests[i].id == id && change(&l.now.requests[i]) {
			return changed(1)
		}
	}
	return changed(0)
}

func forget[T any](rows *[]T, old func(T) bool) (Answer, error) {
	before := len(*rows)
	*rows = slices.DeleteFunc(*rows, old)
	return changed(before - len(*rows))
}

func texts(args []any) []string {
	all := make([]string, len(args))
	for i, a := range args {
		all[i] = a.(string)
	}
	return all
}

// Age makes all rows of the board and the lease older, for tests of what is forgotten.
func (l *Ledger) Age(instances func(nonce string) bool, by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, r := range l.now.instances {
		if instances(r.nonce) {
			l.now.instances[i].written -= by.Microseconds()
		}
	}
	for i, r := range l.now.requests {
		if r.ended != 0 {
			l.now.requests[i].ended -= by.Microseconds()
		}
	}
}
