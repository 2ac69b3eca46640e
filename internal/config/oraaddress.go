package config

import (
	"errors"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oraDefaultPort is that of Oracle's listener.
const oraDefaultPort = 1521

// oraAddress is what an address of Oracle says, be it JDBC's or the driver's.
type oraAddress struct {
	hosts          []HostPort
	service, sid   string
	user, password string
	tls            bool
	// alone is FAILOVER=off: one address is tried and no other.
	alone bool
	// ignored have no meaning for the lease and perhaps should have one.
	ignored []string
}

var (
	errOracleForm = errors.New("want jdbc:oracle:thin:@//host:port/service, jdbc:oracle:thin:@host:port:SID or oracle://host:port/service")
	errOracleOCI  = errors.New("jdbc:oracle:oci: needs Oracle's client library, which hotcold does not use; want jdbc:oracle:thin")
	errOracleTNS  = errors.New("hotcold reads no names of tnsnames.ora; write what it says of the name, (DESCRIPTION=...), into the address, " +
		"or set hotcold.database.url to oracle://host:port/service, with several hosts as host1:port,host2:port")
	errOracleLogin = errors.New("a quote, a proxy user or a second @ stands in the user and the password; " +
		"set the user and the password of the data source, or hotcold.database.user and password")
	errOracleAlone   = errors.New("FAILOVER=off has the driver try one of the addresses only; leave out the others, or write FAILOVER=on")
	errOracleService = errors.New("the service is missing")
	errOracleMode    = errors.New("a server mode or an instance after the service is not read")
)

// parseJDBCOracle reads the addresses of Oracle's thin driver that name hosts.
func parseJDBCOracle(text string) (oraAddress, error) {
	rest, thin := strings.CutPrefix(text, "jdbc:oracle:thin:")
	if !thin {
		if strings.HasPrefix(text, "jdbc:oracle:oci") {
			return oraAddress{}, errOracleOCI
		}
		return oraAddress{}, errOracleForm
	}
	before, place, found := strings.Cut(rest, "@")
	if !found {
		return oraAddress{}, errOracleForm
	}
	var a oraAddress
	a.user, a.password, _ = strings.Cut(before, "/")
	if strings.ContainsAny(before, `"[`) || before != "" && strings.Count(before, "/") != 1 || strings.Contains(place, "@") {
		return a, errOracleLogin
	}
	if place = strings.TrimSpace(place); strings.HasPrefix(place, "(") {
		return a, a.takeDescriptor(place)
	}
	return a, a.takeEasy(place)
}

// easyPattern is how an Easy Connect address begins.
var easyPattern = regexp.MustCompile(`^(?:(tcps?):)?(//)?`)

// serviceName is what a service or a SID may be called.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9_.$#-]*$`)

// takeEasy reads "[tcps:][//]host[,host][:port][,host:port]/service[?options]" and "host:port:SID". A host without a
// port has that of the next one that has it.
func (a *oraAddress) takeEasy(place string) error {
	begin := easyPattern.FindStringSubmatch(place)
	place = place[len(begin[0]):]
	if begin[1] != "" && begin[2] == "" {
		return errOracleForm
	}
	a.tls = begin[1] == "tcps"
	place, query, _ := strings.Cut(place, "?")
	for key, value := range queryPairs(query) {
		if err := a.takeOption(key, value); err != nil {
			return err
		}
	}
	hosts, service, found := strings.Cut(place, "/")
	if !found {
		// host:port:SID has no slash, and one host.
		parts := strings.Split(hosts, ":")
		if len(parts) != 3 || parts[2] == "" || strings.ContainsAny(hosts, ",[") || begin[0] != "" {
			return errOracleTNS // a name of tnsnames.ora
		}
		a.sid, hosts = parts[2], parts[0]+":"+parts[1]
	}
	if strings.ContainsAny(service, "/:") {
		return errOracleMode
	}
	if hasEmptyPort(hosts) {
		return errAddressPort
	}
	list := strings.Split(hosts, ",")
	for i := len(list) - 2; i >= 0; i-- {
		if next := list[i+1]; !hasPort(list[i]) && hasPort(next) {
			list[i] += next[strings.LastIndex(next, ":"):]
		}
	}
	if slices.ContainsFunc(list, func(one string) bool { return one == "" || one[0] == ':' }) {
		return errAddressNoHost
	}
	if err := a.takeHosts(strings.Join(list, ","), service); err != nil {
		return err
	}
	return a.finish()
}

// finish looks at what was read from a JDBC address as a whole.
func (a *oraAddress) finish() error {
	switch {
	case a.alone && len(a.hosts) > 1:
		return errOracleAlone
	case !serviceName.MatchString(a.service + a.sid):
		return errOracleForm
	}
	return nil
}

// parseOracleURL reads "oracle://[user[:password]@]host[:port][,host[:port]]/service[?ssl=true]".
func parseOracleURL(text string) (oraAddress, error) {
	var a oraAddress
	_, rest, found := strings.Cut(text, "://")
	if !found {
		return a, errOracleForm
	}
	if i := strings.LastIndex(rest, "@"); i >= 0 {
		user, password, _ := strings.Cut(rest[:i], ":")
		rest = rest[i+1:]
		var bad, worse error
		a.user, bad = url.PathUnescape(user)
		a.password, worse = url.PathUnescape(password)
		if bad != nil || worse != nil {
			return a, errAddressEscape
		}
		if strings.ContainsAny(user+password, "/?") {
			return a, errAddressAt
		}
	}
	return a, a.takePlace(rest)
}

// takePlace reads "hosts/service[?parameters]" of hotcold's own addresses.
func (a *oraAddress) takePlace(text string) error {
	text, query, _ := strings.Cut(text, "?")
	hosts, service, _ := strings.Cut(text, "/")
	if strings.ContainsAny(service, "/:") {
		return errOracleMode
	}
	for key, value := range queryPairs(query) {
		switch strings.ToLower(key) {
		case "ssl":
			a.tls = a.tls || strings.EqualFold(value, "true")
		default:
			a.ignored = append(a.ignored, unknownParam)
		}
	}
	return a.takeHosts(hosts, service)
}

// takeHosts takes the hosts, and the service unless there is a SID.
func (a *oraAddress) takeHosts(hosts, service string) (err error) {
	if a.hosts, err = parseHosts(hosts, oraDefaultPort); err != nil {
		return err
	}
	if a.service = service; a.service == "" && a.sid == "" {
		return errOracleService
	}
	return nil
}

// toDatabase makes the public form. A certificate is always looked at.
func (a oraAddress) toDatabase() Database {
	query, params := url.Values{}, map[string]string{}
	for _, h := range a.hosts[1:] {
		query.Add("SERVER", h.String())
	}
	if a.sid != "" {
		query.Set("SID", a.sid)
		params["SID"] = a.sid
	}
	if a.tls {
		query.Set("SSL", "true")
		query.Set("SSL VERIFY", "true")
		params["SSL"] = strconv.FormatBool(true)
	}
	u := url.URL{Scheme: "oracle", Host: a.hosts[0].String(), Path: "/" + a.service, RawQuery: query.Encode()}
	if a.user != "" {
		u.User = url.UserPassword(a.user, a.password)
	}
	name := a.service
	if name == "" {
		name = a.sid
	}
	return Database{
		Dialect: DialectOracle, Hosts: a.hosts, Name: name, User: a.user,
		Password: NewSecret(a.password), DSN: NewSecret(u.String()), Params: maps.Clone(params),
	}
}
