package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/balancer"
)

func TestOfManyConnectionsThoseAreShownThatMatterMost(t *testing.T) {
	client := func(port int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("10.1.0.1"), uint16(port))
	}
	all := []balancer.Connection{
		{Rule: "p2p", Client: client(1), State: "open", Old: true, In: 1},
		{Rule: "p2p", Client: client(2), State: "parked", Age: time.Minute},
		{Rule: "p2p", Client: client(3), State: "parked"},
		{Rule: "p2p", Client: client(4), State: "open", In: 9, Out: 1},
		{Rule: "p2p", Client: client(5), State: "open", Out: 5, Age: time.Hour},
		{Rule: "p2p", Client: client(6), State: "open", In: 5, Age: time.Second},
	}
	for i := range 1000 {
		all = append(all, balancer.Connection{Rule: "rpc", Client: client(1000 + i), State: "open", Out: uint64(i % 5)})
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	c := balancer.NewConnections(6)
	for _, n := range all {
		c.Add(n)
	}
	var got []string
	for _, n := range c.First() {
		got = append(got, fmt.Sprint(n.Client.Port()))
	}
	if want := "1 2 3 4 5 6"; strings.Join(got, " ") != want || c.Total() != len(all) {
		t.Errorf("of %d, want of %d: %v, want %s", c.Total(), len(all), got, want)
	}
	c = balancer.NewConnections(0)
	c.Add(all[0])
	if c.Total() != 1 || len(slices.Collect(slices.Values(c.First()))) != 0 {
		t.Error("one is shown where none was asked for")
	}
}
