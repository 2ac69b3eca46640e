package ledger

import (
	"fmt"
	"maps"
	"slices"
)

// leaseRow is a row of the lease's table, in the order of its columns but for the name.
type leaseRow struct {
	values  [13]any // holder nonce boot epoch version released successor incarnation update wait trust fence memo
	written int64
}

func leaseColumns() []Kind {
	return []Kind{Text, Text, Text, Text, Text, Number, Number, Truth, Text, Text, Number, Number, Number, Number, Text, Number, Number}
}

// identity is what the database calls itself.
func (l *Ledger) identity() string { return fmt.Sprintf("incarnation-%d", l.incarnation) }

func (l *Ledger) rendered(name string, r leaseRow) []any {
	row := append([]any{l.identity(), name}, r.values[:]...)
	return append(row, r.written, l.micros()-r.written)
}

func (l *Ledger) read(args []any) (Answer, error) {
	name := args[0].(string)
	row, found := l.now.leases[name]
	if !found {
		empty := make([]any, len(leaseColumns()))
		empty[0] = l.identity()
		return Answer{Columns: leaseColumns(), Rows: [][]any{empty}}, nil
	}
	return Answer{Columns: leaseColumns(), Rows: [][]any{l.rendered(name, row)}}, nil
}

func (l *Ledger) list([]any) (Answer, error) {
	a := Answer{Columns: leaseColumns()}
	for _, name := range slices.Sorted(maps.Keys(l.now.leases)) {
		a.Rows = append(a.Rows, l.rendered(name, l.now.leases[name]))
	}
	return a, nil
}

// claim writes the first row: name, its values, the database's incarnation.
func (l *Ledger) claim(args []any) (Answer, error) {
	name := args[0].(string)
	if _, found := l.now.leases[name]; found || args[14].(string) != l.identity() {
		return changed(0)
	}
	l.now.leases[name] = leaseRow{[13]any(args[1:14]), l.micros()}
	return changed(1)
}

// renew is the compare-and-set: new values, name, the key, the database's incarnation.
func (l *Ledger) renew(args []any) (Answer, error) {
	name := args[13].(string)
	r, found := l.now.leases[name]
	if !found || args[20].(string) != l.identity() {
		return changed(0)
	}
	for i, column := range []int{0, 1, 3, 4, 5, 7} { // holder nonce epoch version released incarnation
		if args[14+i] != r.values[column] {
			return changed(0)
		}
	}
	l.now.leases[name] = leaseRow{[13]any(args[:13]), max(l.micros(), r.written+1)}
	return changed(1)
}

// held counts the row that is held under a name, a holder, a nonce and an epoch.
func (l *Ledger) held(args []any) (Answer, error) {
	a := Answer{Columns: []Kind{Number}, Rows: [][]any{{int64(0)}}}
	r, found := l.now.leases[args[0].(string)]
	if found && r.values[0] == args[1] && r.values[1] == args[2] && r.values[3] == args[3] && r.values[5] == false {
		a.Rows[0][0] = int64(1)
	}
	return a, nil
}
