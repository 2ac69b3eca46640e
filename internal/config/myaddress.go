package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// myDefaultPort is MySQL's and MariaDB's own.
const myDefaultPort = 3306

// myAddress is what an address of MySQL or MariaDB says, be it JDBC's or hotcold's own.
type myAddress struct {
	hosts    []HostPort
	database string
	user     string
	password string
	// params are in the words of sqlstore.MySQLParams.
	params map[string]string
	// ignored are parameters that have no meaning for the lease and perhaps should have one.
	ignored []string
	// jdbc are the parameters of TLS in JDBC's words, by their names in small letters.
	jdbc map[string]string
}

// The faults of such an address. None quotes it.
var (
	errAddressDatabase = errors.New("the name of the database is missing after the hosts")
	errAddressSRV      = errors.New("the names of servers in DNS (mysql+srv) are not looked up; write the hosts")
	errAddressForm     = errors.New("want the form jdbc:mysql://host:port,host:port/database, or the same with mariadb")
	errMyAddressBrace  = errors.New("a host in braces wants the form address=(host=NAME)(port=NUMBER)")
	errAddressTLS      = errors.New("tls is none of preferred, false, skip-verify, verify-ca and true")
	errAddressNoHost   = errors.New("a host is missing")
	errAddressUsers    = errors.New("a user stands before one of several hosts; set hotcold.database.user and password, or the user and the password of the data source")
	errAddressHash     = errors.New("a # ends the address for the driver; write %23")
	errAddressSpelling = errors.New("want user, password, useSSL, requireSSL, verifyServerCertificate and sslMode in these very letters, as the driver does")
	errAddressBool     = errors.New("useSSL, requireSSL or verifyServerCertificate is neither true nor false")
	errAddressSSLMode  = errors.New("sslMode is none of those that MySQL's and MariaDB's drivers know")
)

// myParams are the parameters of hotcold's own addresses; sqlstore says what they mean.
func myParams() []string {
	return []string{"tls", "tlsCA", "tlsCert", "tlsKey", "tlsServerName", "socket", "cleartext"}
}

// myFiles are those of them that are files.
func myFiles() []string { return []string{"tlsCA", "tlsCert", "tlsKey"} }

// parseMyURL reads "mysql://[user[:password]@]hosts/database[?parameters]".
func parseMyURL(text string) (myAddress, error) {
	_, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	a := myAddress{params: map[string]string{}}
	if strings.Contains(query, "@") {
		return a, errAddressAt
	}
	if err := a.place(rest, url.PathUnescape); err != nil {
		return a, err
	}
	for key, value := range queryPairs(query) {
		value, err := url.PathUnescape(value)
		switch {
		case err != nil:
			return a, errAddressEscape
		case key == "user":
			a.user = value
		case key == "password":
			a.password = value
		case slices.Contains(myParams(), key):
			a.params[key] = value
		default: // its name may be the rest of a password
			return a, fmt.Errorf("a parameter is none of %s", strings.Join(myParams(), ", "))
		}
	}
	if !slices.Contains([]string{"", "preferred", "false", "skip-verify", "verify-ca", "true"}, a.params["tls"]) {
		return a, errAddressTLS
	}
	return a, nil
}

// parseJDBCMySQL reads "jdbc:mysql:[mode:]//[user[:password]@]hosts/database[?parameters]" as MySQL Connector/J does.
// A user before the host wins over one in the parameters.
func parseJDBCMySQL(text string) (myAddress, error) {
	return parseMyJDBC(text, url.QueryUnescape, false)
}

// parseJDBCMariaDB reads "jdbc:mariadb:[mode:]//hosts/database[?parameters]" as MariaDB Connector/J does: nothing in it
// is escaped, and no user stands before the hosts.
func parseJDBCMariaDB(text string) (myAddress, error) {
	return parseMyJDBC(text, func(s string) (string, error) { return s, nil }, true)
}

func parseMyJDBC(text string, unescape func(string) (string, error), mariadb bool) (myAddress, error) {
	a := myAddress{params: map[string]string{}, jdbc: map[string]string{}}
	scheme, rest, _ := strings.Cut(strings.TrimPrefix(text, "jdbc:"), ":")
	if strings.HasSuffix(scheme, "+srv") {
		return a, errAddressSRV
	}
	if !mariadb && strings.Contains(rest, "#") {
		return a, errAddressHash
	}
	rest, query, _ := strings.Cut(rest, "?")
	mode, place, found := strings.Cut(rest, "//")
	if !found {
		return a, errAddressForm
	}
	switch mode = strings.ToLower(strings.TrimSuffix(mode, ":")); mode {
	case "", "replication", "failover", "sequential":
		// Whatever the driver does with them: the lease takes the first that takes writes.
	case "loadbalance", "load-balance", "load-balance-read", "aurora":
		a.ignored = append(a.ignored, mode)
	default:
		return a, errAddressForm
	}
	authority, _, _ := strings.Cut(place, "/")
	switch hosts := strings.Split(authority, ","); {
	case mariadb && strings.Contains(authority, "@"):
		return a, errAddressAt
	case strings.Contains(authority, "@") && len(hosts) > 1:
		return a, errAddressUsers
	case mariadb && authority != "" && slices.ContainsFunc(hosts, func(one string) bool { return one == "" || one[0] == ':' }):
		return a, errAddressNoHost
	case strings.Count(authority, "@") > 1:
		return a, errAddressAt
	case hasEmptyPort(authority):
		return a, errAddressPort
	}
	if err := a.place(place, unescape); err != nil {
		return a, err
	}
	user, password := a.user, a.password
	for key, value := range queryPairs(query) {
		if !mariadb {
			key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		}
		if otherSpelling(key, mariadb) {
			return a, errAddressSpelling
		}
		value, err := unescape(value)
		if err != nil {
			return a, errAddressEscape
		}
		if err := a.takeJDBC(key, value); err != nil {
			return a, err
		}
	}
	if user != "" {
		a.user = user
	}
	if password != "" {
		a.password = password
	}
	if mariadb {
		return a, a.secureMariaDB()
	}
	return a, a.secureMySQL()
}

// otherSpelling tells a parameter that matters and that the driver, which knows it by other letters, would not see.
func otherSpelling(key string, mariadb bool) bool {
	if mariadb && strings.EqualFold(key, "useSSL") { // useSsl is as good
		return false
	}
	return slices.ContainsFunc([]string{"user", "password", "useSSL", "requireSSL", "verifyServerCertificate", "sslMode"}, func(name string) bool {
		return key != name && strings.EqualFold(key, name)
	})
}

// place reads "[user[:password]@]hosts/database".
func (a *myAddress) place(text string, unescape func(string) (string, error)) error {
	authority, database, _ := strings.Cut(text, "/")
	switch at := strings.LastIndex(authority, "@"); {
	case strings.Contains(database, "@"):
		return errAddressAt
	case strings.Contains(database, "/"):
		return errAddressSlashes
	case at >= 0:
		name, password, _ := strings.Cut(authority[:at], ":")
		var bad [2]error
		a.user, bad[0] = unescape(name)
		a.password, bad[1] = unescape(password)
		if errors.Join(bad[:]...) != nil {
			return errAddressEscape
		}
		authority = authority[at+1:]
	}
	var err error
	if a.database, err = unescape(database); err != nil {
		return errAddressEscape
	}
	if a.database == "" {
		return errAddressDatabase
	}
	if authority, err = braced(authority); err != nil {
		return err
	}
	a.hosts, err = parseHosts(authority, myDefaultPort)
	return err
}

// braced turns "address=(host=h1)(port=3307)(type=master),h2" into "h1:3307,h2".
func braced(authority string) (string, error) {
	if !strings.Contains(authority, "(") {
		return authority, nil
	}
	var hosts []string
	for one := range strings.SplitSeq(authority, ",") {
		inner, found := strings.CutPrefix(one, "address=(")
		if !found && !strings.Contains(one, "(") {
			hosts = append(hosts, one)
			continue
		}
		inner, closed := strings.CutSuffix(inner, ")")
		if !found || !closed {
			return "", errMyAddressBrace
		}
		var host, port string
		for pair := range strings.SplitSeq(inner, ")(") {
			switch key, value, _ := strings.Cut(pair, "="); strings.ToLower(key) {
			case "host":
				host = value
			case "port":
				port = ":" + value
			case "type", "protocol":
			default:
				return "", errMyAddressBrace
			}
		}
		if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
			host = "[" + host + "]"
		}
		hosts = append(hosts, host+port)
	}
	return strings.Join(hosts, ","), nil
}

// takeJDBC takes one parameter of a JDBC address.
func (a *myAddress) takeJDBC(key, value string) error {
	switch low := strings.ToLower(key); low {
	case "user":
		a.user = value
	case "password":
		a.password = value
	case "localsocket":
		a.params["socket"] = value
	case "sslmode", "usessl", "requiressl", "verifyservercertificate", "trustservercertificate", "disablesslhostnameverification", "serversslcert":
		a.jdbc[low] = value
	case "truststore", "trustcertificatekeystoreurl", "keystore", "clientcertificatekeystoreurl", "fallbacktosystemtruststore",
		"credentialtype", "authenticationplugins", "defaultauthenticationplugin", "socketfactory", "pipe", "sharedmemory", "tlssockettype", "dnssrv":
		return fmt.Errorf("%s cannot be translated: give hotcold an address of its own (hotcold.database.url = \"mysql://...\"), with tlsCA for the signers in PEM", key)
	case "useunicode", "characterencoding", "connectioncollation", "servertimezone", "connectiontimezone", "forceconnectiontimezonetosession",
		"timezone", "connecttimeout", "sockettimeout", "tcpkeepalive", "tcpnodelay", "autoreconnect", "autoreconnectforpools", "maxreconnects",
		"initialtimeout", "failoverreadonly", "secondsbeforeretrysource", "queriesbeforeretrysource", "retriesalldown", "allowpublickeyretrieval",
		"serverrsapublickeyfile", "cacheprepstmts", "prepstmtcachesize", "prepstmtcachesqllimit", "useserverprepstmts", "rewritebatchedstatements",
		"uselocalsessionstate", "uselocaltransactionstate", "cacheresultsetmetadata", "cacheserverconfiguration", "elidesetautocommits",
		"maintaintimestats", "zerodatetimebehavior", "tinyint1isbit", "uselegacydatetimecode", "allowmultiqueries", "createdatabaseifnotexist",
		"sessionvariables", "usecompression", "useaffectedrows", "transactionisolation", "pool", "maxpoolsize", "minpoolsize", "log", "logger",
		"usebulkstmts", "assurereadonly", "tlsversions", "enabledsslprotocolsuites", "nullcatalogmeanscurrent", "nulldatabasemeanscurrent",
		"usecursorfetch", "defaultfetchsize", "usemysqlmetadata", "useinformationschema", "permitmysqlscheme":
		// These shape the node's own sessions. The lease has its own deadlines, order of hosts and statements.
	default:
		a.ignored = append(a.ignored, unknownParam)
	}
	return nil
}

// sslModes are the words of sslMode, by what they mean for sqlstore.
func sslModes() map[string]string {
	return map[string]string{
		"disabled": "false", "disable": "false", "preferred": "preferred", "required": "skip-verify", "trust": "skip-verify",
		"verify_ca": "verify-ca", "verify-ca": "verify-ca", "verify_identity": "true", "verify-full": "true",
	}
}

// secureMySQL translates what the address says of TLS as MySQL's driver does: sslMode wins over the older words.
// Where it says nothing, TLS is used if the server has it.
func (a *myAddress) secureMySQL() error {
	is := map[string]bool{}
	for _, key := range []string{"usessl", "requiressl", "verifyservercertificate"} {
		switch value, said := a.jdbc[key]; strings.ToLower(value) {
		case "true", "yes":
			is[key] = true
		case "false", "no":
		default:
			if said {
				return errAddressBool
			}
		}
	}
	_, said := a.jdbc["usessl"]
	switch word, found := a.jdbc["sslmode"]; {
	case found:
		mode, known := sslModes()[strings.ToLower(word)]
		if !known {
			return errAddressSSLMode
		}
		a.params["tls"] = mode
	case said && !is["usessl"]:
		a.params["tls"] = "false"
	case is["verifyservercertificate"]:
		a.params["tls"] = "verify-ca"
	case is["requiressl"]:
		a.params["tls"] = "skip-verify"
	}
	return nil
}

// tlsStrength orders the words of the parameter tls.
func tlsStrength(mode string) int {
	return slices.Index([]string{"false", "", "preferred", "skip-verify", "verify-ca", "true"}, mode)
}

// secureMariaDB does the same for MariaDB's drivers. Release 2 knows the older words only and release 3 prefers
// sslMode; which one the node has is not known, so the stricter of both readings holds.
func (a *myAddress) secureMariaDB() error {
	on := func(key string) bool {
		value, found := a.jdbc[key]
		return found && !strings.EqualFold(value, "false") && value != "0"
	}
	mode := ""
	if word, found := a.jdbc["sslmode"]; found && word != "" {
		var known bool
		if mode, known = sslModes()[strings.ToLower(word)]; !known {
			return errAddressSSLMode
		}
	}
	older := ""
	switch _, said := a.jdbc["usessl"]; {
	case said && !on("usessl"):
		older = "false"
	case said && on("trustservercertificate"):
		older = "skip-verify"
	case said && on("disablesslhostnameverification"):
		older = "verify-ca"
	case said:
		older = "true"
	}
	if older != "" && (mode == "" || tlsStrength(older) > tlsStrength(mode)) {
		mode = older
	}
	if mode != "" {
		a.params["tls"] = mode
	}
	if file := strings.TrimPrefix(a.jdbc["serversslcert"], "file:"); file != "" {
		if strings.HasPrefix(file, "classpath:") || strings.Contains(file, "BEGIN CERTIFICATE") {
			return errors.New("serverSslCert cannot be translated unless it is a file: give hotcold an address of its own (hotcold.database.url), with tlsCA")
		}
		a.params["tlsCA"] = file
	}
	return nil
}

// toDatabase makes the public form. The address is in the one grammar that sqlstore reads.
func (a myAddress) toDatabase(dialect Dialect) Database {
	hosts := make([]string, 0, len(a.hosts))
	for _, h := range a.hosts {
		hosts = append(hosts, h.String())
	}
	query := url.Values{}
	for key, value := range a.params {
		query.Set(key, value)
	}
	dsn := string(dialect) + "://" + escapeAll(a.user) + ":" + escapeAll(a.password) + "@" + strings.Join(hosts, ",") + "/" + escapeAll(a.database)
	if len(query) > 0 {
		dsn += "?" + query.Encode()
	}
	params := maps.Clone(a.params)
	delete(params, "tlsKey")
	return Database{
		Dialect: dialect, Hosts: a.hosts, Name: a.database, User: a.user,
		Password: NewSecret(a.password), DSN: NewSecret(dsn), Params: params,
	}
}

// escapeAll leaves no character that means anything in an address.
func escapeAll(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
