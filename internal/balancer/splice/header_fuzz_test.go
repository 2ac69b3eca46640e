package splice

import (
	"bytes"
	"net/netip"
	"testing"
)

// FuzzHeader reads what anybody may send in the place of a PROXY header: it must end in a header or in an error, and
// never need more than the bound.
func FuzzHeader(f *testing.F) {
	for _, seed := range []string{
		"", "P", "PROXY TCP4 192.0.2.7 192.0.2.1 4711 10002\r\nhello", "PROXY UNKNOWN\r\n", "PROXY TCP6 ::1 ::2 1 2\r\n",
		"PROXY TCP4 1.2.3.4\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x00\x01\x00\x02rest",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8", "GET / HTTP/1.1\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		size, err := headerSize(data)
		switch {
		case err != nil:
			return
		case size < 0 || size > len(data) || size > headerV2Fixed+headerV2Most:
			t.Fatalf("a header of %d bytes in %d", size, len(data))
		case size == 0:
			if len(data) >= headerV2Fixed+headerV2Most {
				t.Fatalf("%d bytes, and it is still not known whether they are a header", len(data))
			}
			return
		}
		// What is known of the beginning does not change with what follows.
		for cut := range size {
			if n, err := headerSize(data[:cut]); n != 0 || err != nil {
				t.Fatalf("%d bytes of %d: size %d, %v", cut, size, n, err)
			}
		}
		says, err := parse(data[:size])
		if err != nil {
			return
		}
		if says.client.IsValid() != says.front.IsValid() {
			t.Fatalf("one address without the other: %+v", says)
		}
	})
}

// FuzzCompose passes every client on, and reads what it wrote.
func FuzzCompose(f *testing.F) {
	f.Add(byte(1), []byte{1, 2, 3, 4}, uint16(1), []byte{5, 6, 7, 8}, uint16(2))
	f.Add(byte(2), bytes.Repeat([]byte{0xfe}, 16), uint16(1), []byte{5, 6, 7, 8}, uint16(65535))
	f.Fuzz(func(t *testing.T, version byte, from []byte, fromPort uint16, to []byte, toPort uint16) {
		a, ok1 := netip.AddrFromSlice(from)
		b, ok2 := netip.AddrFromSlice(to)
		if !ok1 || !ok2 {
			return
		}
		a, b = a.Unmap(), b.Unmap()
		client, front := netip.AddrPortFrom(a, fromPort), netip.AddrPortFrom(b, toPort)
		header, err := compose(1+int(version%2), client, front)
		if err != nil {
			t.Fatal(err)
		}
		if size, err := headerSize(append(header, "what follows"...)); size != len(header) || err != nil {
			t.Fatalf("%q: size %d, %v", header, size, err)
		}
		says, err := parse(header)
		if err != nil || says.client != client || says.front != front {
			t.Fatalf("%q reads as %+v, %v; want %v to %v", header, says, err, client, front)
		}
	})
}
