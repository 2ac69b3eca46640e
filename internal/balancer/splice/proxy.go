package splice

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
	"golang.org/x/sys/unix"
)

const (
	// headerV1Most is the longest header of version 1 with its end of line, by the specification.
	headerV1Most = 107
	// headerV2Fixed is the part of a header of version 2 that says how long the rest is; the rest may have headerV2Most
	// bytes here, which is what the library takes: a client's certificate and more.
	headerV2Fixed = 16
	headerV2Most  = 4096
)

var errNoHeader = errors.New("what came is no PROXY header")

// announced is what a PROXY header says. Without addresses the connection is of the one who sent it.
type announced struct {
	client, front netip.AddrPort
}

// headerSize tells how long the PROXY header is with which data begins; 0 where more has to come before that is known, or
// before the header is whole.
func headerSize(data []byte) (int, error) {
	v1, v2 := proxyproto.SIGV1, proxyproto.SIGV2
	switch {
	case bytes.HasPrefix(data, v2):
		if len(data) < headerV2Fixed {
			return 0, nil
		}
		rest := int(binary.BigEndian.Uint16(data[headerV2Fixed-2:]))
		if rest > headerV2Most {
			return 0, errNoHeader
		}
		if len(data) < headerV2Fixed+rest {
			return 0, nil
		}
		return headerV2Fixed + rest, nil
	case bytes.HasPrefix(data, v1):
		head := data[:min(len(data), headerV1Most)]
		if end := bytes.IndexByte(head, '\n'); end >= 0 {
			return end + 1, nil
		}
		if len(head) == headerV1Most {
			return 0, errNoHeader
		}
		return 0, nil
	case bytes.HasPrefix(v1, data), bytes.HasPrefix(v2, data):
		return 0, nil
	}
	return 0, errNoHeader
}

// parse reads a whole header.
func parse(header []byte) (announced, error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil {
		return announced{}, err
	}
	if h.Command.IsLocal() {
		return announced{}, nil
	}
	client, front, ok := h.TCPAddrs()
	if !ok {
		return announced{}, errNoHeader // of something that is no TCP
	}
	return announced{client: unmapped(client), front: unmapped(front)}, nil
}

func unmapped(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// compose makes the header that tells a machine of its client.
func compose(version int, client, front netip.AddrPort) ([]byte, error) {
	from, to := net.TCPAddrFromAddrPort(plain(client)), net.TCPAddrFromAddrPort(plain(front))
	header, err := proxyproto.HeaderProxyFromAddrs(byte(version), from, to).Format()
	if err != nil {
		return nil, fmt.Errorf("compose a PROXY header of version %d: %w", version, err)
	}
	return header, nil
}

// plain is an address without its zone, which means nothing on another machine.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(""), a.Port())
}

// header looks whether a client's PROXY header is there. It looks without taking, so that nothing that follows the header
// comes into our hands.
func (d *door) header(c *conn) {
	data := d.mover.scratch[:headerV2Fixed+headerV2Most]
	n, err := ignoringEINTR(func() (int, error) {
		n, _, err := unix.Recvfrom(c.client.fd, data, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return n, err
	})
	if err == unix.EAGAIN {
		return
	}
	if err != nil || n == 0 {
		d.dismiss(c) // it left
		return
	}
	size, err := headerSize(data[:n])
	if err == nil && size == 0 {
		if c.client.hungUp {
			d.malformed(c)
		}
		return
	}
	var says announced
	if err == nil {
		says, err = parse(data[:size])
	}
	if err == nil {
		_, err = ignoringEINTR(func() (int, error) { return unix.Read(c.client.fd, data[:size]) })
	}
	if err != nil {
		d.malformed(c)
		return
	}
	if says.client.IsValid() {
		c.address, c.front = says.client, says.front
	}
	if denies(c.rule.spec.Load(), c.address.Addr()) {
		c.rule.count.denied.Add(1)
		d.dismiss(c)
		return
	}
	d.enter(c)
}

// malformed ends a client without a PROXY header, or with a wrong one, or that took too long.
func (d *door) malformed(c *conn) {
	c.rule.count.malformed.Add(1)
	d.dismiss(c)
}

// dismiss ends a client that was not let in.
func (d *door) dismiss(c *conn) {
	d.account(c, EndLeft)
	_ = unix.Close(c.client.fd)
	d.release(c)
}
