package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// receiveBytes is asked for as the netlink socket's buffer: the kernel acknowledges every line of a transaction, and
// the acknowledgements of the largest one (64 rules, about 40 lines each, below 1 KiB of memory for each) have to fit.
const receiveBytes = 4 << 20

// The flags of a table that are used here; package unix has the first only.
const (
	tableDormant = unix.NFT_TABLE_F_DORMANT
	tableOwner   = 0x2 // NFT_TABLE_F_OWNER
)

// table is our table in the kernel. It has an owner, our socket: nobody else can change it, `nft flush ruleset` passes
// it by, and the kernel removes it at the moment at which the socket closes, even by SIGKILL.
type table struct {
	c *nftables.Conn
	t *nftables.Table
	// broken is why it is not known what the kernel holds, or what it is about to be told. Nothing but close is of use then.
	broken error
}

// openTable makes the table, empty. What stands there by the same name and has no owner is replaced. The kernel checks
// what a dormant table is told, and shows it no packet.
func openTable(name string, dormant bool) (*table, error) {
	var socket *netlink.Conn
	c, err := nftables.New(nftables.AsLasting(), nftables.WithSockOptions(func(s *netlink.Conn) error {
		socket = s
		_ = s.SetReadBuffer(receiveBytes) // as much as there may be had; see commit for too little
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	t := &table{c: c, t: &nftables.Table{Name: name, Family: nftables.TableFamilyINet}}
	if err := t.own(socket, dormant); err != nil {
		return nil, errors.Join(err, c.CloseLasting())
	}
	return t, nil
}

// own makes the table with us as its owner, which the library has no words for.
func (t *table) own(socket *netlink.Conn, dormant bool) error {
	left, err := t.c.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return fmt.Errorf("list the tables of nftables: %w", err)
	}
	var lines []netlink.Message
	for _, l := range left {
		if l.Name != t.t.Name && strings.HasPrefix(l.Name, tablePrefix) && newMarks(l.Name) == newMarks(t.t.Name) {
			return fmt.Errorf("make the table %s: its connections would have the same marks as those of the table %s; give the service another name", t.t.Name, l.Name)
		}
		if l.Name == t.t.Name && l.Flags&tableOwner == 0 {
			lines = append(lines, t.line(unix.NFT_MSG_DELTABLE, 0, 0))
		}
	}
	tableFlags := uint32(tableOwner)
	if dormant {
		tableFlags |= tableDormant
	}
	lines = append(lines, t.line(unix.NFT_MSG_NEWTABLE, netlink.Create|netlink.Excl, tableFlags))
	if _, err := socket.SendMessages(transaction(lines)); err != nil {
		return fmt.Errorf("send the table %s: %w", t.t.Name, err)
	}
	var faults error
	for range lines {
		if _, err := socket.Receive(); err != nil {
			faults = errors.Join(faults, err)
			break
		}
	}
	switch {
	case errors.Is(faults, unix.EPERM) || errors.Is(faults, unix.EEXIST):
		return fmt.Errorf("make the table %s: another balancer of this service runs on this machine, or the right CAP_NET_ADMIN is missing: %w", t.t.Name, faults)
	case errors.Is(faults, unix.EOPNOTSUPP) || errors.Is(faults, unix.EINVAL):
		return fmt.Errorf("make the table %s: the kernel knows no tables with an owner (Linux 5.12 does): %w", t.t.Name, faults)
	case faults != nil:
		return fmt.Errorf("make the table %s: %w", t.t.Name, faults)
	}
	return nil
}

func (t *table) line(kind int, flags netlink.HeaderFlags, tableFlags uint32) netlink.Message {
	attributes := bigEndian()
	attributes.String(unix.NFTA_TABLE_NAME, t.t.Name)
	if kind == unix.NFT_MSG_NEWTABLE {
		attributes.Uint32(unix.NFTA_TABLE_FLAGS, tableFlags)
	}
	data, _ := attributes.Encode() // fails for values that are too long, and the name was checked
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind),
			Flags: netlink.Request | netlink.Acknowledge | flags,
		},
		Data: append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, data...),
	}
}

// transaction puts lines between the two that make them one.
func transaction(lines []netlink.Message) []netlink.Message {
	edge := func(kind int) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request},
			Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES},
		}
	}
	return append(append([]netlink.Message{edge(unix.NFNL_MSG_BATCH_BEGIN)}, lines...), edge(unix.NFNL_MSG_BATCH_END))
}

// commit does all that was prepared since the last commit, in one step or not at all. Where the kernel's answers were
// lost it is not known which, and the table is of no more use.
func (t *table) commit() error {
	if t.broken != nil {
		return t.broken
	}
	err := t.c.Flush()
	if errors.Is(err, unix.ENOBUFS) {
		t.broken = fmt.Errorf("the kernel's answers did not fit into the socket's buffer (net.core.rmem_max is too small): %w", err)
		return t.broken
	}
	return err
}

// close removes the table with all that it holds.
func (t *table) close() error { return t.c.CloseLasting() }

// chain makes a chain, or empties it where it is there.
func (t *table) chain(name string) {
	c := &nftables.Chain{Name: name, Table: t.t}
	t.c.AddChain(c)
	t.c.FlushChain(c)
}

// hook makes a chain that the kernel calls, or empties it where it is there.
func (t *table) hook(name string, kind nftables.ChainType, hook *nftables.ChainHook, priority nftables.ChainPriority) {
	c := &nftables.Chain{Name: name, Table: t.t, Type: kind, Hooknum: hook, Priority: &priority}
	t.c.AddChain(c)
	t.c.FlushChain(c)
}

func (t *table) removeChain(name string) { t.c.DelChain(&nftables.Chain{Name: name, Table: t.t}) }

// rule adds a rule at the chain's end, made of its parts.
func (t *table) rule(chain string, parts ...any) {
	t.c.AddRule(&nftables.Rule{Table: t.t, Chain: &nftables.Chain{Name: chain, Table: t.t}, Exprs: join(parts...)})
}

func (t *table) counter(name string) *nftables.NamedObj {
	return &nftables.NamedObj{Table: t.t, Name: name, Type: nftables.ObjTypeCounter, Obj: &expr.Counter{}}
}

// counters reads all counters by their names: packets and bytes. The library would read all objects, and it reads and
// writes times of connections through a map that all goroutines share; so only counters are asked for, and read here.
func (t *table) counters() (map[string]expr.Counter, error) {
	// Not over the owner's socket: this is called while another may be in a transaction there.
	socket, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	defer socket.Close()
	attributes := bigEndian()
	attributes.String(unix.NFTA_OBJ_TABLE, t.t.Name)
	attributes.Uint32(unix.NFTA_OBJ_TYPE, unix.NFT_OBJECT_COUNTER)
	data, _ := attributes.Encode() // fails for values that are too long, and the name was checked
	answers, err := socket.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETOBJ),
			Flags: netlink.Request | netlink.Dump,
		},
		Data: append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, data...),
	})
	if err != nil {
		return nil, fmt.Errorf("read the counters of the table %s: %w", t.t.Name, err)
	}
	counters := map[string]expr.Counter{}
	for _, m := range answers {
		name, n, err := counterOf(m.Data)
		if err != nil {
			return nil, fmt.Errorf("read a counter of the table %s: %w", t.t.Name, err)
		}
		counters[name] = n
	}
	return counters, nil
}

// counterOf reads one counter of an answer, behind the header of netfilter.
func counterOf(data []byte) (name string, n expr.Counter, err error) {
	const header = 4
	if len(data) < header {
		return "", n, errors.New("the answer is too short")
	}
	d, err := netlink.NewAttributeDecoder(data[header:])
	if err != nil {
		return "", n, err
	}
	d.ByteOrder = binary.BigEndian
	for d.Next() {
		switch d.Type() {
		case unix.NFTA_OBJ_NAME:
			name = d.String()
		case unix.NFTA_OBJ_DATA:
			d.Nested(func(d *netlink.AttributeDecoder) error {
				for d.Next() {
					switch d.Type() {
					case unix.NFTA_COUNTER_BYTES:
						n.Bytes = d.Uint64()
					case unix.NFTA_COUNTER_PACKETS:
						n.Packets = d.Uint64()
					}
				}
				return d.Err()
			})
		}
	}
	return name, n, d.Err()
}

// bigEndian encodes numbers as netfilter has them.
func bigEndian() *netlink.AttributeEncoder {
	e := netlink.NewAttributeEncoder()
	e.ByteOrder = binary.BigEndian
	return e
}
