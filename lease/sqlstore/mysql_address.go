package sqlstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// MySQLParams returns the parameters of an address of MySQL or MariaDB,
//
//	mysql://user:password@host:port,host:port/database?tls=true
//
// in which what is special in a user, a password or a name is escaped as %XX. The
// hosts are tried in order, and the one that takes writes is used.
//
//	tls             preferred (the default: where the server has it, without looking
//	                at its certificate), false, skip-verify (always, without looking),
//	                verify-ca (the certificate's signer), true (its signer and the host)
//	tlsCA           file with the signers' certificates; those of the system without it
//	tlsCert, tlsKey files with the certificate and key of the agent, where the server
//	                asks for them
//	tlsServerName   the name in the server's certificate, where it is not the host's
//	socket          path of a Unix socket; it stands for the hosts
//	cleartext       true: the password may be sent as it is where the server asks
//	                for that (LDAP, PAM, the tokens of clouds); with TLS only
func MySQLParams() []string {
	return []string{"tls", "tlsCA", "tlsCert", "tlsKey", "tlsServerName", "socket", "cleartext"}
}

// mysqlPort is MySQL's and MariaDB's own.
const mysqlPort = "3306"

var errMySQLAddress = errors.New("the address of the MySQL or MariaDB database cannot be read (it is not shown, it may hold a password); " +
	"want mysql://user:password@host:port/database")

// mysqlAddress is an address as it was written.
type mysqlAddress struct {
	user, password, database string
	hosts                    []string // host:port
	params                   url.Values
}

// parseMySQL takes an address apart. No error shows any of it but the names of
// parameters.
func parseMySQL(dsn string) (mysqlAddress, error) {
	scheme, rest, found := strings.Cut(dsn, "://")
	if !found || scheme != MySQL && scheme != MariaDB {
		return mysqlAddress{}, errMySQLAddress
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	var a mysqlAddress
	var errs [4]error
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, password, _ := strings.Cut(authority[:at], ":")
		a.user, errs[0] = url.PathUnescape(user)
		a.password, errs[1] = url.PathUnescape(password)
		authority = authority[at+1:]
	}
	a.database, errs[2] = url.PathUnescape(database)
	a.params, errs[3] = url.ParseQuery(query)
	if errors.Join(errs[:]...) != nil || a.database == "" || strings.Contains(database, "/") {
		return a, errMySQLAddress
	}
	for name, values := range a.params {
		if !slices.Contains(MySQLParams(), name) || len(values) != 1 {
			return a, fmt.Errorf("the address of the MySQL or MariaDB database has a parameter twice, or one that is not of %s",
				strings.Join(MySQLParams(), ", "))
		}
	}
	for one := range strings.SplitSeq(authority, ",") {
		host, port, err := net.SplitHostPort(one)
		if err != nil {
			host, port = strings.Trim(one, "[]"), mysqlPort
		}
		if host == "" {
			host = "localhost"
		}
		if _, err := net.LookupPort("tcp", port); err != nil || strings.ContainsAny(port, "abcdefghijklmnopqrstuvwxyz") {
			return a, errMySQLAddress
		}
		a.hosts = append(a.hosts, net.JoinHostPort(host, port))
	}
	return a, nil
}

// mysqlTarget is one server with all that the driver needs to reach it.
type mysqlTarget struct {
	address string
	driver  *mysql.Config
}

// targets makes the driver's settings for each host. The driver's own parser, which
// knows of one host only, is not used.
func (a mysqlAddress) targets() ([]mysqlTarget, error) {
	secure, fallback, err := a.tls()
	if err != nil {
		return nil, err
	}
	hosts, network := a.hosts, "tcp"
	if socket := a.params.Get("socket"); socket != "" {
		hosts, network = []string{socket}, "unix"
	}
	var all []mysqlTarget
	for _, host := range hosts {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.DBName, c.Net, c.Addr = a.user, a.password, a.database, network, host
		c.Logger = &mysql.NopLogger{}
		c.ClientFoundRows = true   // what is written anew as it was is found, and not refused
		c.InterpolateParams = true // one round trip, and nothing prepared that a pooler could lose
		c.AllowCleartextPasswords = a.params.Get("cleartext") == "true"
		c.DialFunc = dial
		c.AllowFallbackToPlaintext = fallback
		if secure != nil {
			c.TLS = secure.Clone()
			if name, _, err := net.SplitHostPort(host); err == nil && c.TLS.ServerName == "" {
				c.TLS.ServerName = name
			}
		}
		all = append(all, mysqlTarget{host, c})
	}
	return all, nil
}

// tls reads the parameters of TLS. Fallback says that there may be none.
func (a mysqlAddress) tls() (config *tls.Config, fallback bool, err error) {
	mode := a.params.Get("tls")
	cleartext := a.params.Get("cleartext") == "true"
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: a.params.Get("tlsServerName")}
	switch mode {
	case "", "preferred":
		c.InsecureSkipVerify, fallback = true, !cleartext
	case "false":
		if cleartext {
			return nil, false, errors.New("cleartext=true wants TLS, and the address says tls=false")
		}
		return nil, false, nil
	case "skip-verify":
		c.InsecureSkipVerify = true
	case "verify-ca":
		// The signer is looked at below; the name is not.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error { return signedBy(c.RootCAs, s) }
	case "true":
	default:
		return nil, false, errors.New("tls is none of preferred, false, skip-verify, verify-ca and true")
	}
	if file := a.params.Get("tlsCA"); file != "" {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, false, fmt.Errorf("read tlsCA: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(content) {
			return nil, false, fmt.Errorf("read tlsCA: no certificate is in %s", file)
		}
	}
	if file := a.params.Get("tlsCert"); file != "" {
		pair, err := tls.LoadX509KeyPair(file, a.params.Get("tlsKey"))
		if err != nil {
			return nil, false, fmt.Errorf("read tlsCert and tlsKey: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, fallback, nil
}

// signedBy looks whether one of the signers vouches for the server.
func signedBy(signers *x509.CertPool, s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server has shown no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: signers, Intermediates: between})
	return err
}
