package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hotcold/hotcold/internal/testserver"
)

// probed asks as a cloud's probe does; 0 is no answer.
func probed(at string) int {
	client := http.Client{Timeout: askLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + at + "/hot")
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// A cloud's probe is answered with 200 by the machine that holds the lease, and never without a living node: not by the
// cold one, not once trust is over, not by an agent that has been stopped.
func TestACloudsProbeFindsTheMachineThatHoldsTheLease(t *testing.T) {
	dsn := database(t)
	proxy := testserver.Proxy(t, testserver.Addr(t, dsn))
	p := sleeperPair(t, testserver.Via(t, dsn, proxy.Addr()))
	at := map[*machine]string{}
	for _, m := range p.machines() {
		at[m] = loopback(testserver.FreePort(t))
		m.configure(sleeperConfig(m, testserver.Via(t, dsn, proxy.Addr())) + fmt.Sprintf("  listen.probe = %q\n", at[m]))
	}
	if got := p.a.run("check", "--only", "machine").stdout; !strings.Contains(got, "✓ the port for a cloud's probes is free: "+at[p.a]) {
		t.Errorf("before the agent is there, check says\n%s", got)
	}
	p.startBoth()
	hot, said := p.settle()
	cold := p.other(hot)
	if h, c := probed(at[hot]), probed(at[cold]); h != 200 || c != 503 {
		t.Errorf("the hot machine answers %d and the cold one %d", h, c)
	}
	for m, want := range map[*machine]string{hot: "this machine is hot", cold: "this machine is not hot"} {
		if got := m.run("check", "--only", "machine").stdout; !strings.Contains(got, "✓ a cloud's probe is answered at "+at[m]+": "+want) {
			t.Errorf("beside the agent of %s, check says\n%s", m.name, got)
		}
	}
	node := p.o.living()[0]
	proxy.Hang()
	trust := time.Duration(said.Timing.TrustSeconds * float64(time.Second))
	until(t, trust+deathLimit, "the probe to see that trust is over", func() (bool, string) {
		code := probed(at[hot])
		return code == 503, fmt.Sprint(code)
	})
	p.o.awaitDeath(t, node.pid, trust+deathLimit)
	if code := probed(at[hot]); code == 200 {
		t.Error("the probe is answered with 200 without a node")
	}
	proxy.Restore(t)
	hot, _ = p.settle()
	hot.send(syscall.SIGTERM)
	hot.wait(endLimit)
	if code := probed(at[hot]); code != 0 {
		t.Errorf("an agent that has ended answers %d", code)
	}
}
