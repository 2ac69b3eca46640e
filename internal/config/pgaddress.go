package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pgDefaultPort is PostgreSQL's own.
const pgDefaultPort = 5432

// pgAddress is what an address of PostgreSQL says, be it JDBC's or libpq's.
type pgAddress struct {
	hosts    []HostPort
	database string
	user     string
	password string
	// params are in the words of pgx.
	params map[string]string
	// ignored are parameters that have no meaning for the lease and perhaps should have one.
	ignored []string
	// ssl is the parameter of that name; an sslmode beside it wins.
	ssl bool
}

// unknownParam stands for the name of a parameter that nobody knows. The name itself is not shown: it may be the
// rest of a password that holds an & or a ?.
const unknownParam = "one that is not known"

// The faults of an address. None quotes it: it may hold a password.
var (
	errAddressSlashes = errors.New("more than one / after the hosts")
	errAddressPort    = errors.New("a port is not a number from 1 to 65535")
	errAddressEscape  = errors.New("a % is not followed by two hexadecimal digits")
	errAddressBracket = errors.New("an IPv6 address wants brackets, [::1]")
	errAddressAt      = errors.New("an @ stands after the hosts; in a user or password write / as %2F, ? as %3F, @ as %40")
	errAddressHost    = errors.New("a host has characters that no host name has")
	errAddressForms   = errors.New("want jdbc:postgresql://host:port,host:port/database (the / after the hosts is needed, with or without a name) or jdbc:postgresql:database")
	errAddressPGHost  = errors.New("PGHOST, PGPORT and PGDBNAME are not read as parameters; write the hosts and the database before the ?")
	errAddressPGMode  = errors.New("sslmode is none of disable, allow, prefer, require, verify-ca and verify-full")
)

// hostName is what a name or an address of a server may look like.
var hostName = regexp.MustCompile(`^[A-Za-z0-9._-]+$|^[0-9A-Fa-f:.]+$`)

// paramName is what a setting of PostgreSQL may be called.
var paramName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// parseJDBCPostgres reads "jdbc:postgresql:[//hosts/]database[?parameters]" as pgjdbc does, which
// takes hosts only with a / after them, and no port that is empty.
func parseJDBCPostgres(text string) (pgAddress, error) {
	rest, found := strings.CutPrefix(text, "jdbc:postgresql:")
	if !found {
		return pgAddress{}, errAddressForms
	}
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(rest, "@") {
		return pgAddress{}, errAddressAt
	}
	a := pgAddress{params: map[string]string{}}
	var err error
	if servers, ok := strings.CutPrefix(rest, "//"); ok {
		hosts, database, found := strings.Cut(servers, "/")
		switch {
		case !found:
			return pgAddress{}, errAddressForms
		case strings.Contains(database, "/"):
			return pgAddress{}, errAddressSlashes
		case hasEmptyPort(hosts):
			return pgAddress{}, errAddressPort
		}
		if a.hosts, err = parseHosts(hosts, pgDefaultPort); err != nil {
			return pgAddress{}, err
		}
		rest = database
	} else {
		a.hosts = []HostPort{{Host: "localhost", Port: pgDefaultPort}}
		if strings.HasPrefix(rest, "/") {
			return pgAddress{}, errAddressForms
		}
	}
	if a.database, err = url.QueryUnescape(rest); err != nil {
		return pgAddress{}, errAddressEscape
	}
	for key, value := range queryPairs(query) {
		if value, err = url.QueryUnescape(value); err != nil {
			return pgAddress{}, errAddressEscape
		}
		if slices.Contains([]string{"PGHOST", "PGPORT", "PGDBNAME"}, key) {
			return a, errAddressPGHost
		}
		a.takeJDBC(key, value)
	}
	return a, a.finishJDBC()
}

// parsePostgresURL reads libpq's "postgres://[user[:password]@]hosts[/database][?parameters]". It does not use
// url.Parse, which knows of one host only and quotes the whole address in its errors.
func parsePostgresURL(text string) (pgAddress, error) {
	_, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	if strings.Contains(database, "@") || strings.Contains(query, "@") {
		return pgAddress{}, errAddressAt
	}
	if strings.Contains(database, "/") {
		return pgAddress{}, errAddressSlashes
	}
	a := pgAddress{params: map[string]string{}}
	var err error
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		authority = authority[i+1:]
		if a.user, err = url.PathUnescape(user); err != nil {
			return pgAddress{}, errAddressEscape
		}
		if a.password, err = url.PathUnescape(password); err != nil {
			return pgAddress{}, errAddressEscape
		}
	}
	if a.database, err = url.PathUnescape(database); err != nil {
		return pgAddress{}, errAddressEscape
	}
	place := hostPlace{authority: authority}
	for key, value := range queryPairs(query) {
		if value, err = url.PathUnescape(value); err != nil {
			return pgAddress{}, errAddressEscape
		}
		a.takeLibpq(key, value, &place)
	}
	a.hosts, err = place.hosts()
	return a, err
}

// hostPlace gathers the hosts of a postgres:// address: before the database, or as parameters, where alone the
// directory of a Unix socket can be said.
type hostPlace struct{ authority, host, port string }

// hosts reads the one place that is used.
func (p hostPlace) hosts() ([]HostPort, error) {
	if p.authority != "" || p.host == "" {
		return parseHosts(p.authority, pgDefaultPort)
	}
	port := strings.TrimSuffix(":"+p.port, ":")
	if strings.HasPrefix(p.host, "/") {
		hosts, err := parseHosts(port, pgDefaultPort)
		if err != nil {
			return nil, err
		}
		hosts[0].Host = p.host
		return hosts[:1], nil
	}
	return parseHosts(p.host+port, pgDefaultPort)
}

// queryPairs yields "k=v&k2" in its order; a key without = has the value "".
func queryPairs(query string) func(yield func(key, value string) bool) {
	return func(yield func(string, string) bool) {
		for pair := range strings.SplitSeq(query, "&") {
			key, value, _ := strings.Cut(pair, "=")
			if key != "" && !yield(key, value) {
				return
			}
		}
	}
}

// hasEmptyPort tells whether a host ends with a colon.
func hasEmptyPort(hosts string) bool {
	return slices.ContainsFunc(strings.Split(hosts, ","), func(one string) bool { return strings.HasSuffix(one, ":") })
}

// parseHosts reads "h1:5433,h2,[::1]:5432". No host at all is localhost.
func parseHosts(text string, port int) ([]HostPort, error) {
	var hosts []HostPort
	for one := range strings.SplitSeq(text, ",") {
		host, given := one, ""
		switch colon := strings.LastIndex(one, ":"); {
		case strings.HasPrefix(one, "["):
			end := strings.Index(one, "]")
			if end < 0 || end+1 < len(one) && one[end+1] != ':' {
				return nil, errAddressBracket
			}
			host, given = one[1:end], strings.TrimPrefix(one[end+1:], ":")
		case colon >= 0 && strings.Contains(one[:colon], ":"):
			return nil, errAddressBracket
		case colon >= 0:
			host, given = one[:colon], one[colon+1:]
		}
		if host == "" {
			host = "localhost"
		}
		if !hostName.MatchString(host) {
			return nil, errAddressHost
		}
		number := port
		if given != "" {
			var err error
			if number, err = strconv.Atoi(given); err != nil || number < 1 || number > 65535 {
				return nil, errAddressPort
			}
		}
		hosts = append(hosts, HostPort{Host: host, Port: number})
	}
	return hosts, nil
}

// takeLibpq takes one parameter of a postgres:// address. Those that pgx does not know go to the server as settings
// of the session, as with pgx itself.
func (a *pgAddress) takeLibpq(key, value string, place *hostPlace) {
	switch key {
	case "user":
		a.user = value
	case "password":
		a.password = value
	case "dbname", "database":
		a.database = value
	case "host":
		place.host = value
	case "port":
		place.port = value
	default:
		if !paramName.MatchString(key) {
			a.ignored = append(a.ignored, unknownParam)
			return
		}
		a.params[key] = value
	}
}

// takeJDBC takes one parameter of a JDBC address.
func (a *pgAddress) takeJDBC(key, value string) {
	switch key {
	case "user":
		a.user = value
	case "password":
		a.password = value
	case "sslmode":
		a.params[key] = strings.ToLower(value)
	case "sslrootcert", "sslcert", "sslkey", "sslpassword", "options":
		a.params[key] = value
	case "channelBinding":
		a.params["channel_binding"] = value
	case "currentSchema":
		a.params["search_path"] = value
	case "targetServerType":
		a.takeTarget(value)
	case "ssl":
		// pgjdbc: ssl alone, or true in any case, means the strictest mode, anything else nothing.
		a.ssl = value == "" || strings.EqualFold(value, "true")
	case "ApplicationName", "connectTimeout", "socketTimeout", "loginTimeout", "cancelSignalTimeout", "tcpKeepAlive",
		"prepareThreshold", "preparedStatementCacheQueries", "preparedStatementCacheSizeMiB", "defaultRowFetchSize",
		"reWriteBatchedInserts", "stringtype", "assumeMinServerVersion", "autosave", "binaryTransfer", "logUnclosedConnections",
		"hostRecheckSeconds", "loadBalanceHosts", "readOnly", "readOnlyMode", "adaptiveFetch", "cleanupSavepoints":
		// These shape the node's own sessions. The lease has its own deadlines, order of hosts and statements.
	case "sslfactory", "sslhostnameverifier", "sslpasswordcallback", "sslNegotiation", "socketFactory", "authenticationPluginClassName",
		"gssEncMode", "gsslib", "jaasLogin", "jaasApplicationName", "kerberosServerName", "useSpnego", "requireAuth", "replication", "protocolVersion":
		a.ignored = append(a.ignored, key)
	default:
		a.ignored = append(a.ignored, unknownParam)
	}
}

// takeTarget translates targetServerType. A lease can only be kept on a server that takes writes.
func (a *pgAddress) takeTarget(value string) {
	switch value {
	case "primary", "master":
		a.params["target_session_attrs"] = "primary"
	case "any":
	default:
		a.ignored = append(a.ignored, "targetServerType")
	}
}

// finishJDBC adds what follows from several parameters together.
func (a *pgAddress) finishJDBC() error {
	mode, said := a.params["sslmode"]
	if said && !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, mode) {
		return errAddressPGMode
	}
	if !said && a.ssl {
		a.params["sslmode"] = "verify-full"
	}
	// pgjdbc reads DER and PKCS#12 keys, pgx reads PEM.
	for _, suffix := range []string{".pk8", ".p12", ".pfx", ".der"} {
		if strings.HasSuffix(strings.ToLower(a.params["sslkey"]), suffix) {
			a.ignored = append(a.ignored, "sslkey")
			delete(a.params, "sslkey")
			delete(a.params, "sslcert")
			delete(a.params, "sslpassword")
		}
	}
	return nil
}

// secretParams are parameters that are never shown.
func secretParams() []string { return []string{"sslpassword", "passfile", "sslkey"} }

// toDatabase makes the public form. With several hosts the one that takes writes is looked for: a lease that was
// written to a lagging replica would be no lease.
func (a pgAddress) toDatabase() Database {
	params := maps.Clone(a.params)
	if _, ok := params["target_session_attrs"]; !ok && len(a.hosts) > 1 {
		params["target_session_attrs"] = "read-write"
	}
	name := a.database
	if name == "" {
		name = a.user
	}
	d := Database{
		Dialect: DialectPostgres, Hosts: a.hosts, Name: name, User: a.user,
		Password: NewSecret(a.password), DSN: NewSecret(a.dsn(name, params)), Params: params,
	}
	for _, key := range secretParams() {
		delete(params, key)
	}
	return d
}

// dsn is libpq's keyword form, which can say several hosts, and IPv6 ones among them.
func (a pgAddress) dsn(name string, params map[string]string) string {
	var hosts, ports []string
	for _, h := range a.hosts {
		hosts = append(hosts, h.Host)
		ports = append(ports, strconv.Itoa(h.Port))
	}
	words := []string{"host=" + quoteKeyword(strings.Join(hosts, ",")), "port=" + strings.Join(ports, ",")}
	for _, w := range [][2]string{{"dbname", name}, {"user", a.user}, {"password", a.password}} {
		if w[1] != "" {
			words = append(words, w[0]+"="+quoteKeyword(w[1]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(params)) {
		words = append(words, fmt.Sprintf("%s=%s", key, quoteKeyword(params[key])))
	}
	return strings.Join(words, " ")
}

// quoteKeyword quotes a value of the keyword form.
func quoteKeyword(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}
