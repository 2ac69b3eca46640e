package pathtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/hotcold/hotcold/internal/balancer"
)

// sixRule is the first rule for clients of IPv6.
func (s *stage) sixRule() balancer.Rule {
	r := s.rule(0)
	r.Frontend = netip.AddrPortFrom(s.yard.Balancer.Address6(0), frontPort)
	return r
}

func six(s *stage) {
	r := s.sixRule()
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{r} }))
	for epoch := uint64(1); epoch <= 4; epoch++ {
		t := s.target(epoch)
		t.Address = s.holder(epoch).place.Address6(0)
		s.steerTo(t, balancer.Old{})
		c, err := s.hail(r, 0, s.fix.patience())
		if err != nil || c.greeting != t.Address.String() {
			s.Fatalf("epoch %d: reached %+v (%v), want %v", epoch, c, err, t.Address)
		}
		s.mustAsk(c, "over IPv6")
	}
}

func sixToFour(s *stage) {
	r := s.sixRule()
	s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{r} }))
	s.steer(1)
	s.mustAsk(s.visit(r, 1), "from IPv6 to IPv4")
}

func lists(s *stage) {
	client := s.yard.Client
	only := func(i int) netip.Prefix { return netip.PrefixFrom(client.Address(i), 32) }
	all := netip.PrefixFrom(client.Address(0), 24).Masked()
	for _, c := range []struct {
		name        string
		allow, deny []netip.Prefix
		in          []bool
	}{
		{"nothing is said", nil, nil, []bool{true, true, true}},
		{"one is allowed", []netip.Prefix{only(1)}, nil, []bool{false, true, false}},
		{"one is denied", nil, []netip.Prefix{only(1)}, []bool{true, false, true}},
		{"all are allowed and one denied", []netip.Prefix{all}, []netip.Prefix{only(2)}, []bool{true, true, false}},
		{"one is both", []netip.Prefix{only(0), only(1)}, []netip.Prefix{only(0)}, []bool{false, true, false}},
	} {
		r := s.only(func(r *balancer.Rule) { r.Allow, r.Deny = c.allow, c.deny })
		s.steer(1)
		for i, in := range c.in {
			if !in {
				if err := s.unservedNow(r, i, s.fix.patience()); err != nil {
					s.Errorf("%s: address %d: %v", c.name, i, err)
				}
				continue
			}
			if _, err := s.hail(r, i, s.fix.patience()); err != nil {
				s.Errorf("%s: address %d: %v", c.name, i, err)
			}
		}
	}
}

func bounded(s *stage) {
	const most = 3
	r := s.only(func(r *balancer.Rule) { r.MaxConnections = most })
	s.steer(1)
	s.full(r, most, []int{0, 1, 2, 3}, 0)
}

func sourceBounded(s *stage) {
	const most = 2
	r := s.only(func(r *balancer.Rule) { r.MaxPerSource = most })
	s.steer(1)
	s.full(r, most, []int{0}, 0)
	if _, err := s.hail(r, 1, s.fix.patience()); err != nil {
		s.Errorf("another address has a bound of its own, but: %v", err)
	}
}

// full opens as many as may be, from the addresses in turn, wants the next turned away, and to be let in again once
// one has left.
func (s *stage) full(r balancer.Rule, most int, from []int, next int) {
	s.Helper()
	var in []*client
	for n := range most {
		c, err := s.hail(r, from[n%len(from)], s.fix.patience())
		if err != nil {
			s.Fatalf("connection %d of %d: %v", n+1, most, err)
		}
		in = append(in, c)
	}
	for range 3 {
		if err := s.unservedNow(r, next, s.fix.patience()); err != nil {
			s.Errorf("one more than %d: %v", most, err)
		}
	}
	for _, c := range in {
		s.mustAsk(c, "of those who are in")
	}
	_ = in[0].Close()
	s.eventually("there is room again", func() error {
		c, err := s.hail(r, next, s.fix.patience())
		if err != nil && c != nil {
			_ = c.Close()
		}
		return err
	})
}

// readHeader reads a PROXY header of version 1 or 2 and says who the client is by it.
func readHeader(in *bufio.Reader) (version int, client, front netip.AddrPort, err error) {
	first, err := in.Peek(1)
	if err != nil {
		return 0, client, front, err
	}
	if first[0] == 'P' {
		return readText(in)
	}
	head := make([]byte, 16)
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, client, front, err
	}
	if string(head[:12]) != headerTwo || head[12] != 0x21 {
		return 0, client, front, fmt.Errorf("a header of version 2 begins with % x", head)
	}
	body := make([]byte, int(head[14])<<8|int(head[15]))
	if _, err := io.ReadFull(in, body); err != nil {
		return 0, client, front, err
	}
	size := map[byte]int{0x11: 4, 0x21: 16}[head[13]]
	if size == 0 || len(body) < 2*size+4 {
		return 0, client, front, fmt.Errorf("family %#x with %d bytes", head[13], len(body))
	}
	at := func(address, port []byte) netip.AddrPort {
		a, _ := netip.AddrFromSlice(address) // 4 or 16 bytes
		return netip.AddrPortFrom(a, uint16(port[0])<<8|uint16(port[1]))
	}
	return 2, at(body[:size], body[2*size:]), at(body[size:2*size], body[2*size+2:]), nil
}

// headerTwo is how a header of version 2 begins.
const headerTwo = "\r\n\r\n\x00\r\nQUIT\n"

func readText(in *bufio.Reader) (version int, client, front netip.AddrPort, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return 0, client, front, err
	}
	words := strings.Fields(line)
	if len(words) != 6 || words[0] != "PROXY" || (words[1] != "TCP4" && words[1] != "TCP6") || !strings.HasSuffix(line, "\r\n") {
		return 0, client, front, fmt.Errorf("a header of version 1 says %q", line)
	}
	client, err = netip.ParseAddrPort(net.JoinHostPort(words[2], words[4]))
	if err != nil {
		return 0, client, front, err
	}
	front, err = netip.ParseAddrPort(net.JoinHostPort(words[3], words[5]))
	return 1, client, front, err
}

// told is a machine that reads a header and answers with what it was told, and then echoes.
func told(c *net.TCPConn) {
	in := bufio.NewReader(c)
	version, client, front, err := readHeader(in)
	if err != nil {
		_, _ = fmt.Fprintf(c, "error: %v\n", err)
		return
	}
	if _, err := fmt.Fprintf(c, "%d %v %v\n", version, client, front); err == nil {
		_, _ = io.Copy(c, in)
	}
}

func proxyOut(s *stage) {
	s.serve(s.a, backPort, told)
	for _, version := range []int{1, 2} {
		for _, r := range []balancer.Rule{s.rule(0), s.sixRule()} {
			r.ProxyOut = version
			s.apply(s.setup(func(setup *balancer.Setup) { setup.Rules = []balancer.Rule{r} }))
			t := s.target(1)
			if r.Frontend.Addr().Is6() {
				t.Address = s.yard.A.Address6(0)
			}
			s.steerTo(t, balancer.Old{})
			c, err := s.hail(r, 0, s.fix.patience())
			if err != nil {
				s.Fatalf("version %d: %v", version, err)
			}
			if want := fmt.Sprintf("%d %v %v", version, c.LocalAddr(), r.Frontend); c.greeting != want {
				s.Errorf("the machine was told %q, want %q", c.greeting, want)
			}
			s.mustAsk(c, "after the header")
		}
	}
}

// headers are well formed, and say that the client is stranger and came to front.
const (
	stranger    = "192.0.2.7:4711"
	strangeGate = "198.51.100.1:10002"
)

func proxyIn(s *stage) {
	two := headerTwo + "\x21\x11\x00\x0c" + "\xc0\x00\x02\x07\xc6\x33\x64\x01" + "\x12\x67\x27\x12"
	more := headerTwo + "\x21\x11\x00\x13" + "\xc0\x00\x02\x07\xc6\x33\x64\x01" + "\x12\x67\x27\x12" + "\x04\x00\x04abcd"
	s.serve(s.a, backPort, told)
	r := s.only(func(r *balancer.Rule) { r.ProxyIn, r.ProxyOut = true, 1 })
	s.steer(1)
	for name, header := range map[string]string{
		"version 1": "PROXY TCP4 192.0.2.7 198.51.100.1 4711 10002\r\n", "version 2": two, "version 2 with more": more,
	} {
		for _, pieces := range []bool{false, true} {
			if pieces && s.fix.Lacks[ProxyPieces] != "" {
				continue
			}
			c, err := s.connect(r, 0, s.fix.patience())
			if err != nil {
				s.Fatal(err)
			}
			for i := 0; pieces && i < len(header)-1; i++ {
				if _, err := c.Write([]byte{header[i]}); err != nil {
					s.Fatal(err)
				}
			}
			rest := header
			if pieces {
				rest = header[len(header)-1:]
			}
			if _, err := c.Write([]byte(rest + "hello\n")); err != nil {
				s.Fatal(err)
			}
			if err := c.greet(s.fix.patience()); err != nil {
				s.Errorf("%s in pieces %v: %v", name, pieces, err)
				continue
			}
			if want := "1 " + stranger + " " + strangeGate; c.greeting != want {
				s.Errorf("%s in pieces %v: the machine was told %q, want %q", name, pieces, c.greeting, want)
			}
			if line, err := c.in.ReadString('\n'); err != nil || line != "hello\n" {
				s.Errorf("%s in pieces %v: got %q back (%v)", name, pieces, line, err)
			}
		}
	}
	for name, header := range map[string]string{"version 1": "PROXY UNKNOWN\r\n", "version 2": headerTwo + "\x20\x00\x00\x00"} {
		c, err := s.connect(r, 0, s.fix.patience())
		if err == nil {
			_, err = c.Write([]byte(header))
		}
		if err == nil {
			err = c.greet(s.fix.patience())
		}
		if err != nil || !strings.HasPrefix(c.greeting, "1 "+c.LocalAddr().String()+" ") {
			s.Errorf("%s from a proxy that speaks for itself: told %q (%v), want the client's own address", name, c.greeting, err)
		}
	}
}

func proxyMalformed(s *stage) {
	r := s.only(func(r *balancer.Rule) { r.ProxyIn, r.ProxyOut = true, 1 })
	s.steer(1)
	malformed := map[string]string{
		"no header":              "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
		"no port":                "PROXY TCP4 192.0.2.7 198.51.100.1 4711\r\n",
		"a port too great":       "PROXY TCP4 192.0.2.7 198.51.100.1 4711 65536\r\n",
		"another family":         "PROXY TCP6 192.0.2.7 198.51.100.1 4711 10002\r\n",
		"a line without end":     "PROXY TCP4 " + strings.Repeat("1", 200),
		"another version":        headerTwo + "\x31\x11\x00\x0c" + strings.Repeat("\x00", 12),
		"too short for a family": headerTwo + "\x21\x21\x00\x0c" + strings.Repeat("\x00", 12),
	}
	for name, header := range malformed {
		c, err := s.connect(r, 0, s.fix.patience())
		if err == nil {
			_, err = c.Write([]byte(header))
		}
		if err != nil {
			s.Fatalf("%s: %v", name, err)
		}
		if err := c.finish(s.fix.patience()); errors.Is(err, errAlive) {
			s.Errorf("%s: the connection is alive", name)
		}
	}
	if n := s.a.came.Load(); n != 0 {
		s.Errorf("the machine was reached %d times", n)
	}
	if s.fix.Lacks[Counts] == "" {
		s.awaitFlows("p2p", "they are counted as malformed", func(f balancer.RuleFlows) bool { return f.Malformed == uint64(len(malformed)) })
	}
}
