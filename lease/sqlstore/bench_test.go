package sqlstore_test

import (
	"fmt"
	"testing"

	"github.com/hotcold/hotcold/lease"
	"github.com/hotcold/hotcold/lease/sqlstore"
)

// onEachDatabase runs a benchmark on each database, with fsync on.
func onEachDatabase(b *testing.B, f func(b *testing.B, db *sqlstore.DB)) {
	for _, k := range kinds() {
		b.Run(k.dialect, func(b *testing.B) { f(b, open(b, k.fresh(b))) })
	}
}

func BenchmarkRenew(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, db *sqlstore.DB) {
		held := claimed(b, db, "node")
		for b.Loop() {
			next := renewal(held)
			swapped(b, db, held, next)
			held.Record = next
		}
	})
}

// BenchmarkClaim takes a released lease, with the signal to those who watch.
func BenchmarkClaim(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, db *sqlstore.DB) {
		held := claimed(b, db, "node")
		for b.Loop() {
			next := renewal(held)
			next.Epoch++
			next.Nonce = fmt.Sprint(next.Epoch)
			swapped(b, db, held, next)
			held.Record = next
		}
	})
}

func BenchmarkRead(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, db *sqlstore.DB) {
		claimed(b, db, "node")
		for b.Loop() {
			observed(b, db, "node")
		}
	})
}

// BenchmarkHandOver is from a release on one connection to the claim on another
// that was woken by it.
func BenchmarkHandOver(b *testing.B) {
	run := func(b *testing.B, from, to *sqlstore.DB) {
		held := claimed(b, from, "node")
		woke := make(chan struct{}, 1)
		ended := make(chan error, 1)
		go func() {
			ended <- to.Watch(b.Context(), "node", func() {
				select {
				case woke <- struct{}{}:
				default:
				}
			})
		}()
		<-woke
		for b.Loop() {
			next := renewal(held)
			next.Released = true
			swapped(b, from, held, next)
			<-woke
			var seen lease.Observation
			for seen = observed(b, to, "node"); !seen.Record.Released; seen = observed(b, to, "node") {
				<-woke // the claim of the former round
			}
			next = renewal(seen)
			next.Released = false
			next.Epoch++
			swapped(b, to, seen, next)
			held.Record = next
		}
	}
	for _, k := range kinds() {
		b.Run(k.dialect, func(b *testing.B) {
			c := k.fresh(b)
			run(b, open(b, c), open(b, c))
		})
	}
}
