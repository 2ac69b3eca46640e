package config

import (
	"reflect"
	"testing"
)

func TestAnAddressOfEtcdIsRead(t *testing.T) {
	for _, c := range []struct {
		text    string
		hosts   []HostPort
		prefix  string
		tls     DatabaseTLS
		ignored bool
	}{
		{"etcd://a", []HostPort{{"a", 2379}}, "hotcold", DatabaseTLS{}, false},
		{"etcd://a:1,b,[::1]:3/svc/orders", []HostPort{{"a", 1}, {"b", 2379}, {"::1", 3}}, "svc/orders", DatabaseTLS{}, false},
		{"etcds://[::1],b:2/x", []HostPort{{"::1", 2379}, {"b", 2}}, "x", DatabaseTLS{On: true}, false},
		{"etcd://a/x?ca=ca.pem&cert=c&key=k&other=1", []HostPort{{"a", 2379}}, "x", DatabaseTLS{CA: "ca.pem", Certificate: "c", Key: "k"}, true},
	} {
		db, ignored, err := parseEtcd(c.text)
		if err != nil || ignored != c.ignored || !reflect.DeepEqual(db.Hosts, c.hosts) || db.Name != c.prefix || db.TLS != c.tls {
			t.Errorf("%s was read as %+v, ignored %v (%v)", c.text, db, ignored, err)
		}
	}
	for _, text := range []string{"etcd:a", "etcd://u:p@a/x", "etcd://a//x", "etcd://a/x y", "etcd://a:0", "etcd://a b"} {
		if db, _, err := parseEtcd(text); err == nil {
			t.Errorf("%s was read as %+v", text, db)
		}
	}
}
