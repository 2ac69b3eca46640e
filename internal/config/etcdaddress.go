package config

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

const (
	// etcdDefaultPort is etcd's own, for clients.
	etcdDefaultPort = 2379
	// etcdDefaultPrefix begins the keys where the address names nothing.
	etcdDefaultPrefix = "hotcold"
)

// etcdPrefix is what may begin the keys.
var etcdPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)

// The faults of an address of etcd. None quotes it: it may hold a password.
var (
	errEtcdUser   = errors.New("a user and a password are not taken from the address; set hotcold.database.user and passwordFile")
	errEtcdPrefix = errors.New("what stands after the hosts begins the keys; want letters, digits and . _ - with single slashes between")
	errEtcdSlash  = errors.New("want etcd://host:2379,host:2379/prefix")
)

// openEtcd reads "etcd://host:2379,host:2379/prefix?ca=file&cert=file&key=file". etcds:// encrypts, and so does each
// of the three files.
func (d *decoder) openEtcd(v hocon.Value, text string, l login) Database {
	db, ignored, err := parseEtcd(text)
	if err == nil && (l.user == "") != l.password.Empty() {
		err = errors.New("want both hotcold.database.user and a password, or neither")
	}
	if err == nil && (db.TLS.Certificate == "") != (db.TLS.Key == "") {
		err = errors.New("want both cert and key, or neither")
	}
	if err != nil {
		d.fail(v.Errorf("cannot be read as an address of etcd: %v", err))
		return Database{}
	}
	if ignored {
		d.warn(v, "parameters other than ca, cert and key have no meaning for etcd and are left out")
	}
	for _, file := range []*string{&db.TLS.CA, &db.TLS.Certificate, &db.TLS.Key} {
		if *file != "" {
			*file = d.absolute(*file)
			db.TLS.On = true
		}
	}
	db.User, db.Password = l.user, l.password
	if l.user != "" && !db.TLS.On {
		d.warn(v, "the password goes to etcd over a way that is not encrypted; want etcds://")
	}
	return db
}

// parseEtcd reads an address; ignored tells that it has parameters which mean nothing.
func parseEtcd(text string) (db Database, ignored bool, err error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return db, false, errEtcdSlash
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "@") {
		return db, false, errEtcdUser
	}
	authority, prefix, _ := strings.Cut(rest, "/")
	if prefix == "" {
		prefix = etcdDefaultPrefix
	}
	if !etcdPrefix.MatchString(prefix) {
		return db, false, errEtcdPrefix
	}
	db = Database{Dialect: DialectEtcd, Name: prefix, Params: map[string]string{}, TLS: DatabaseTLS{On: strings.EqualFold(scheme, "etcds")}}
	if db.Hosts, err = parseHosts(authority, etcdDefaultPort); err != nil {
		return db, false, err
	}
	for key, value := range queryPairs(query) {
		switch key {
		case "ca":
			db.TLS.CA = value
		case "cert":
			db.TLS.Certificate = value
		case "key":
			db.TLS.Key = value
		default:
			ignored = true
		}
		if slices.Contains([]string{"ca", "cert", "key"}, key) {
			db.Params[key] = value
		}
	}
	return db, ignored, nil
}
