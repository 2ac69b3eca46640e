package config

import (
	"errors"
	"maps"
	"net/url"
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
	// ignored have no meaning for the lease and perhaps should have one.
	ignored []string
}

var (
	errOracleForm = errors.New("want jdbc:oracle:thin:@//host:port/service, jdbc:oracle:thin:@host:port:SID or oracle://host:port/service")
	errOracleOCI  = errors.New("jdbc:oracle:oci: needs Oracle's client library, which hotcold does not use; want jdbc:oracle:thin")
	errOracleTNS  = errors.New("hotcold reads no descriptors (DESCRIPTION) and no names of tnsnames.ora; " +
		"set hotcold.database.url to oracle://host:port/service, with several hosts as host1:port,host2:port")
	errOracleMode = errors.New("a server mode or an instance after the service is not read")
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
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return oraAddress{}, errOracleForm
	}
	var a oraAddress
	a.user, a.password, _ = strings.Cut(rest[:at], "/")
	place := rest[at+1:]
	if strings.ContainsAny(place, "()") {
		return a, errOracleTNS
	}
	if protocol, after, found := strings.Cut(place, "://"); found {
		if protocol != "tcp" && protocol != "tcps" {
			return a, errOracleForm
		}
		a.tls, place = protocol == "tcps", "//"+after
	}
	// host:port:SID has no slash.
	if parts := strings.Split(place, ":"); len(parts) == 3 && !strings.Contains(place, "/") {
		a.sid, place = parts[2], parts[0]+":"+parts[1]
		return a, a.takePlace(place + "/")
	}
	if !strings.Contains(strings.TrimPrefix(place, "//"), "/") {
		return a, errOracleTNS // a name of tnsnames.ora
	}
	return a, a.takePlace(strings.TrimPrefix(place, "//"))
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

// takePlace reads "hosts/service[?parameters]".
func (a *oraAddress) takePlace(text string) error {
	text, query, _ := strings.Cut(text, "?")
	hosts, service, _ := strings.Cut(text, "/")
	if strings.ContainsAny(service, "/:") {
		return errOracleMode
	}
	var err error
	if a.hosts, err = parseHosts(hosts, oraDefaultPort); err != nil {
		return err
	}
	a.service = service
	if a.service == "" && a.sid == "" {
		return errors.New("the service is missing")
	}
	for key, value := range queryPairs(query) {
		switch strings.ToLower(key) {
		case "ssl":
			a.tls = a.tls || strings.EqualFold(value, "true")
		default:
			a.ignored = append(a.ignored, unknownParam)
		}
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
