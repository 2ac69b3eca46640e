package lease

import (
	"testing"
	"time"
)

// What one second of a holder that is left alone costs.
func BenchmarkTenureNext(b *testing.B) {
	tenure, now := holding(false), after(time.Second)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = tenure.Next(now)
	}
}

// A renewal from its decision to its answer.
func BenchmarkTenureRenewal(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tenure, step := holding(false).Next(after(2 * time.Second))
		_ = tenure.Landed(*step.Attempt, Observation{}, nil, after(2*time.Second))
	}
}

// One look of a challenger at a row that is renewed.
func BenchmarkChallengeVerdict(b *testing.B) {
	c, now := challengeOf(0, look{time.Second, rowOf(them, 3, 7)}), onReading(2*time.Second)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = c.Verdict(now)
	}
}

func BenchmarkChallengeObserve(b *testing.B) {
	c := challengeOf(0, look{time.Second, rowOf(them, 3, 7)})
	next, now := rowOf(them, 3, 8), onReading(2*time.Second)
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Observe(next, now)
	}
}
