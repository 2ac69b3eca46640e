package splice_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/hotcold/hotcold/internal/balancer"
	"github.com/hotcold/hotcold/internal/balancer/splice"
)

func proxyIn(s *balancer.Setup) { s.Rules[0].ProxyIn = true }

// v2 is a header of version 2.
func v2(t testing.TB, from, to string) string {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", from)
	if err != nil {
		t.Fatal(err)
	}
	b, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	header, err := proxyproto.HeaderProxyFromAddrs(2, a, b).Format()
	if err != nil {
		t.Fatal(err)
	}
	return string(header)
}

func TestAPROXYHeaderSaysWhoTheClientIs(t *testing.T) {
	for _, test := range []struct{ name, header, client string }{
		{"version 1", "PROXY TCP4 192.0.2.7 192.0.2.1 4711 10002\r\n", "192.0.2.7:4711"},
		{"version 1 of IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 4711 10002\r\n", "[2001:db8::7]:4711"},
		{"version 2", v2(t, "192.0.2.7:4711", "192.0.2.1:10002"), "192.0.2.7:4711"},
		{"version 2 of IPv6", v2(t, "[2001:db8::7]:4711", "[2001:db8::1]:10002"), "[2001:db8::7]:4711"},
		{"unknown", "PROXY UNKNOWN\r\n", ""},
		{"local", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, nodes := hot(t, proxyIn)
			client := r.dial()
			fmt.Fprint(client, test.header, "what follows")
			node := r.take(nodes)
			hear(t, node, "what follows")
			_ = client.Close()
			_ = node.Close()
			r.until("it is gone", func() bool { return len(r.gone()) == 1 })
			want := test.client
			if want == "" {
				want = client.LocalAddr().String()
			}
			if got := r.gone()[0].Client.String(); got != want {
				t.Errorf("the client is %s, want %s", got, want)
			}
		})
	}
}

func TestAPROXYHeaderMayComeInPieces(t *testing.T) {
	for _, header := range []string{"PROXY TCP4 192.0.2.7 192.0.2.1 4711 10002\r\n", v2(t, "192.0.2.7:4711", "192.0.2.1:10002")} {
		r, nodes := hot(t, proxyIn)
		client := r.dial()
		_ = client.SetNoDelay(true)
		for i := range header {
			fmt.Fprint(client, header[i:i+1])
		}
		say(t, client, r.take(nodes), "what follows")
		r.stop()
	}
}

func TestWhatIsNoPROXYHeaderIsNotLetIn(t *testing.T) {
	for _, test := range []struct{ name, said string }{
		{"a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc"},
		{"a line without an end", "PROXY " + strings.Repeat("x", 200)},
		{"a line of nonsense", "PROXY TCP4 one two three four\r\n"},
		{"a header that is too long", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff"},
		{"a header of no family", "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := hot(t, proxyIn)
			client := r.dial()
			fmt.Fprint(client, test.said)
			if _, said := end(client); said != "" {
				t.Errorf("it was told %q", said)
			}
			r.until("it is counted", func() bool { return r.flows().Malformed == 1 })
			if f := r.flows(); f.Accepted != 0 {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestAPROXYHeaderHasToComeInTime(t *testing.T) {
	r, _ := hot(t, proxyIn)
	client := r.dial()
	fmt.Fprint(client, "PROXY TCP4 ")
	r.until("it is there", func() bool { all, _ := r.path.Connections(t.Context(), 1); return all.Total() == 1 })
	r.clock.Advance(10 * time.Second)
	_, _ = io.ReadAll(client)
	r.until("it is counted", func() bool { return r.flows().Malformed == 1 })
}

func TestTheListsAreAboutWhomAPROXYHeaderNames(t *testing.T) {
	r, nodes := hot(t, proxyIn, func(s *balancer.Setup) {
		s.Rules[0].Allow = prefixes("192.0.2.0/24")
		s.Rules[0].MaxPerSource = 1
	})
	denied := r.dial()
	fmt.Fprint(denied, "PROXY TCP4 198.51.100.7 192.0.2.1 4711 10002\r\n")
	_, _ = io.ReadAll(denied)
	first, second := r.dial(), r.dial()
	fmt.Fprint(first, "PROXY TCP4 192.0.2.7 192.0.2.1 1 10002\r\nA")
	hear(t, r.take(nodes), "A")
	fmt.Fprint(second, "PROXY TCP4 192.0.2.7 192.0.2.1 2 10002\r\nB")
	wantEnd(t, second, "FIN")
	if f := r.flows(); f.Denied != 1 || f.Limited != 1 || f.Accepted != 1 {
		t.Errorf("%+v", f)
	}
}

func TestAMachineIsToldOfItsClient(t *testing.T) {
	for version := 1; version <= 2; version++ {
		for _, named := range []bool{false, true} {
			t.Run(fmt.Sprintf("version %d, named %v", version, named), func(t *testing.T) {
				r, nodes := hot(t, func(s *balancer.Setup) { s.Rules[0].ProxyOut, s.Rules[0].ProxyIn = version, named })
				client := r.dial()
				from, to := client.LocalAddr().String(), client.RemoteAddr().String()
				if named {
					from, to = "[2001:db8::7]:4711", "[2001:db8::1]:10002"
					fmt.Fprint(client, "PROXY TCP6 2001:db8::7 2001:db8::1 4711 10002\r\n")
				}
				fmt.Fprint(client, "hello")
				node := proxyproto.NewConn(r.take(nodes))
				hear(t, node, "hello")
				if h := node.ProxyHeader(); h == nil || int(h.Version) != version || h.SourceAddr.String() != from || h.DestinationAddr.String() != to {
					t.Errorf("the machine was told %+v, want %s to %s", h, from, to)
				}
			})
		}
	}
}

// A parked client's header is taken, so that it is known who waits, and nothing more.
func TestAParkedClientIsKnownByItsPROXYHeader(t *testing.T) {
	r := start(t, splice.Options{})
	r.apply(proxyIn)
	client := r.dial()
	fmt.Fprint(client, "PROXY TCP4 192.0.2.7 192.0.2.1 4711 10002\r\nhello")
	r.until("it is parked", func() bool { return r.path.Flows().Parked == 1 })
	all, err := r.path.Connections(t.Context(), 1)
	if err != nil || all.Total() != 1 || all.First()[0].Client.String() != "192.0.2.7:4711" || all.First()[0].State != "parked" {
		t.Errorf("%+v, %v", all, err)
	}
	nodes := r.listen(addressA)
	r.steer(machineA(1), balancer.Old{})
	hear(t, r.take(nodes), "hello")
}
