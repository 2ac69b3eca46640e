package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// probeLimit is how long our own listener for probes may take: less than any cloud allows.
const probeLimit = 2 * time.Second

// probeListener says whether a cloud's probe would be answered here: by the running agent, or once there is one.
func (k *checker) probeListener(ctx context.Context) {
	at := k.conf.Listen.Probe
	if at == "" {
		return
	}
	if host, _, err := net.SplitHostPort(at); err == nil {
		if ip, err := netip.ParseAddr(host); host == "localhost" || err == nil && ip.IsLoopback() {
			k.r.next("warning", "machine", "listen on 0.0.0.0 or on the machine's own address", "hotcold.listen.probe is %s: no cloud's probe reaches that", at)
		}
	}
	if locked(k.conf.RuntimeDir) != nil {
		k.askProbe(ctx, at)
		return
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
	if err != nil {
		k.r.next("fault", "machine", "end the program that has it (`ss -ltnp` says which), or set hotcold.listen.probe", "the port for probes is not free: %v", err)
		return
	}
	_ = l.Close() // we only wanted to know
	k.r.add("ok", "machine", "the port for a cloud's probes is free: %s", at)
}

// askProbe asks the running agent as a cloud would.
func (k *checker) askProbe(ctx context.Context, at string) {
	code, err := askHot(ctx, at)
	switch {
	case err != nil:
		k.r.next("fault", "machine", "start the agent anew: it listens there only if the setting was there when it started", "nobody answers a cloud's probe at %s: %v", at, err)
	case code == http.StatusOK:
		k.r.add("ok", "machine", "a cloud's probe is answered at %s: this machine is hot", at)
	case code == http.StatusServiceUnavailable:
		k.r.add("ok", "machine", "a cloud's probe is answered at %s: this machine is not hot", at)
	default:
		k.r.next("fault", "machine", "end the program that has it (`ss -ltnp` says which), or set hotcold.listen.probe", "something else answers a cloud's probe at %s, with %d", at, code)
	}
}

// askHot asks /hot at an address of this machine.
func askHot(ctx context.Context, at string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}
	// To dial the unspecified address is to dial this machine.
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at+"/hot", nil)
	if err != nil {
		return 0, fmt.Errorf("ask for /hot: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
