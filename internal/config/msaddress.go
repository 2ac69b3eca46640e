package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	// msDefaultPort is SQL Server's own, msBrowserPort the one where the ports of named instances are asked.
	msDefaultPort = 1433
	msBrowserPort = 1434
)

// msAddress is what an address of SQL Server says, be it JDBC's or the driver's.
type msAddress struct {
	host, instance string
	port           int // 0 where none is said
	database       string
	user, password string
	// params are in the words of go-mssqldb.
	params map[string]string
	// ignored have no meaning for the lease and perhaps should have one; refused would change who logs in, or where.
	ignored, refused []string
}

var (
	errAddressBrace    = errors.New("a { has no } after it; in a value in braces write } as }}")
	errAddressPair     = errors.New("a property has no =; a value that holds ; wants braces, {a;b}")
	errAddressIntent   = errors.New("applicationIntent=ReadOnly leads to a replica that takes no writes; the lease wants ReadWrite")
	errAddressPartner  = errors.New("failoverPartner needs databaseName")
	errAddressServer   = errors.New("the driver reads no IPv6 address and no port without a host before the first ;; want the properties serverName and portNumber")
	errAddressInstance = errors.New("the name of an instance wants letters, digits, $, # and _")
)

// parseJDBCSQLServer reads "jdbc:sqlserver://[host[\instance][:port]][;property=value]*" as Microsoft's JDBC driver 10.2
// and newer does. The driver in Go must never see such a text: it would take it for something else without a fault.
func parseJDBCSQLServer(text string) (msAddress, error) {
	a := msAddress{params: map[string]string{}}
	rest, ok := strings.CutPrefix(text, "jdbc:sqlserver://")
	if !ok {
		return a, errors.New("want jdbc:sqlserver:// at its beginning")
	}
	server, properties, _ := strings.Cut(rest, ";")
	if strings.ContainsAny(server, "[]") || strings.HasPrefix(server, ":") {
		return a, errAddressServer
	}
	if strings.ContainsAny(server, "@/?") {
		return a, errors.New("only a host, an instance and a port stand before the first ;; the user and the database are properties")
	}
	if err := a.takeServer(server); err != nil {
		return a, err
	}
	pairs, err := splitProperties(properties)
	if err != nil {
		return a, err
	}
	for _, pair := range pairs {
		if err := a.takeJDBC(pair[0], pair[1]); err != nil {
			return a, err
		}
	}
	return a, a.finish()
}

// splitProperties reads "a=b;c={d;e}". Names are in small letters.
func splitProperties(text string) (pairs [][2]string, err error) {
	for text = strings.TrimLeft(text, "; "); text != ""; text = strings.TrimLeft(text, "; ") {
		name, rest, found := strings.Cut(text, "=")
		if !found || strings.Contains(name, ";") {
			return nil, errAddressPair
		}
		var value string
		if rest = strings.TrimLeft(rest, " "); strings.HasPrefix(rest, "{") {
			if value, rest, err = bracedValue(rest[1:]); err != nil {
				return nil, err
			}
			if rest = strings.TrimLeft(rest, " "); rest != "" && rest[0] != ';' {
				return nil, errAddressBrace
			}
		} else {
			value, rest, _ = strings.Cut(rest, ";")
			if value = strings.TrimRight(value, " "); strings.Contains(value, "{") {
				return nil, errAddressBrace
			}
		}
		pairs = append(pairs, [2]string{strings.ToLower(strings.TrimSpace(name)), value})
		text = rest
	}
	return pairs, nil
}

// bracedValue reads up to the } that is not doubled.
func bracedValue(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '}' {
			b.WriteByte(text[i])
			continue
		}
		if i+1 < len(text) && text[i+1] == '}' {
			b.WriteByte('}')
			i++
			continue
		}
		return b.String(), text[i+1:], nil
	}
	return "", "", errAddressBrace
}

// takeServer reads "host[\instance][:port]".
func (a *msAddress) takeServer(text string) error {
	host, instance, named := strings.Cut(text, `\`)
	if named {
		name, port, found := strings.Cut(instance, ":")
		if err := a.takeInstance(name); err != nil {
			return err
		}
		if found {
			host += ":" + port
		}
	}
	if host == "" {
		return nil
	}
	hosts, err := parseHosts(host, 0)
	if err != nil {
		return err
	}
	if len(hosts) > 1 {
		return errors.New("more than one host; want the listener of the availability group, or failoverPartner")
	}
	a.host = hosts[0].Host
	if hasPort(host) {
		a.port = hosts[0].Port
	}
	return nil
}

// hasPort tells whether a host that parseHosts took names a port.
func hasPort(host string) bool {
	return strings.LastIndex(host, ":") > strings.LastIndex(host, "]") && !strings.HasSuffix(host, ":")
}

func (a *msAddress) takeInstance(name string) error {
	for _, r := range name {
		if !strings.ContainsRune("$#_", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return errAddressInstance
		}
	}
	a.instance = name
	return nil
}

// takeJDBC takes one property of a JDBC address.
func (a *msAddress) takeJDBC(name, value string) error {
	switch name {
	case "server", "servername":
		// It wins over the host before the first semicolon.
		if strings.Count(value, ":") > 1 && !strings.ContainsAny(value, `[\`) {
			value = "[" + value + "]"
		}
		return a.takeServer(value)
	case "instancename":
		return a.takeInstance(value)
	case "port", "portnumber":
		port, err := strconv.Atoi(value)
		if err != nil || port < 1 || port > 65535 {
			return errAddressPort
		}
		a.port = port
	case "database", "databasename":
		a.database = value
	case "user", "username":
		a.user = value
	case "password":
		a.password = value
	case "authentication":
		if value != "" && !slices.Contains([]string{"sqlpassword", "notspecified"}, strings.ToLower(value)) {
			a.refused = append(a.refused, "authentication")
		}
	case "integratedsecurity":
		if !strings.EqualFold(value, "false") {
			a.refused = append(a.refused, "integratedSecurity")
		}
	default:
		return a.takeCommon(name, value)
	}
	return nil
}

// takeCommon takes what JDBC's properties and the parameters of sqlserver:// have in common.
func (a *msAddress) takeCommon(name, value string) error {
	switch name {
	case "encrypt", "trustservercertificate", "multisubnetfailover", "hostnameincertificate", "servercertificate", "failoverpartner":
		return a.takeWord(name, value)
	case "applicationintent":
		if !strings.EqualFold(value, "readwrite") {
			return errAddressIntent
		}
	case "sslprotocol":
		if version, found := strings.CutPrefix(value, "TLSv1."); found && (version == "2" || version == "3") {
			a.params["tlsmin"] = "1." + version
		}
	case "applicationname", "workstationid", "logintimeout", "sockettimeout", "locktimeout", "querytimeout", "cancelquerytimeout", "packetsize",
		"sendstringparametersasunicode", "sendtimeasdatetime", "selectmethod", "responsebuffering", "disablestatementpooling",
		"statementpoolingcachesize", "enableprepareonfirstpreparedstatementcall", "serverpreparedstatementdiscardthreshold",
		"transparentnetworkipresolution", "lastupdatecount", "xopenstates", "delayloadinglobs", "usebulkcopyforbatchinsert",
		"connectretrycount", "connectretryinterval", "usefmtonly", "ipaddresspreference", "preparemethod", "datetimeparametertype":
		// These shape the node's own sessions. The lease has its own deadlines and statements.
	case "accesstoken", "accesstokencallbackclass", "authenticationscheme", "gsscredential", "msiclientid", "realm", "serverspn", "clientcertificate",
		"clientkey", "clientkeypassword", "socketfactoryclass", "trustmanagerclass", "domain", "aadsecureprincipalid", "fedauth", "authenticator":
		a.refused = append(a.refused, name)
	case "truststore", "truststorepassword", "truststoretype", "fips", "columnencryptionsetting", "keystoreauthentication",
		"keystorelocation", "keystoresecret", "replication", "jaasconfigurationname":
		a.ignored = append(a.ignored, name)
	default:
		a.ignored = append(a.ignored, unknownParam)
	}
	return nil
}

// takeWord takes a parameter that the driver knows by the same name.
func (a *msAddress) takeWord(name, value string) error {
	switch name {
	case "encrypt":
		word, found := map[string]string{
			"true": "true", "mandatory": "true", "false": "false", "optional": "false", "yes": "true", "no": "false", "strict": "strict", "disable": "disable",
		}[strings.ToLower(value)]
		if !found {
			return errors.New("encrypt wants true, false or strict")
		}
		value = word
	case "trustservercertificate", "multisubnetfailover":
		value = strings.ToLower(value)
		if value != "true" && value != "false" {
			return fmt.Errorf("%s wants true or false", name)
		}
	}
	a.params[name] = value
	return nil
}

// parseSQLServerURL reads "sqlserver://[user[:password]@]host[:port][/instance][?parameters]".
func parseSQLServerURL(text string) (msAddress, error) {
	a := msAddress{params: map[string]string{}}
	_, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	authority, instance, _ := strings.Cut(rest, "/")
	if strings.Contains(instance, "@") || strings.Contains(query, "@") {
		return a, errAddressAt
	}
	var err error
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		user, password, _ := strings.Cut(authority[:i], ":")
		authority = authority[i+1:]
		if a.user, err = url.PathUnescape(user); err != nil {
			return a, errAddressEscape
		}
		if a.password, err = url.PathUnescape(password); err != nil {
			return a, errAddressEscape
		}
	}
	if err := errors.Join(a.takeServer(authority), a.takeInstance(instance)); err != nil {
		return a, err
	}
	for key, value := range queryPairs(query) {
		if value, err = url.QueryUnescape(value); err != nil {
			return a, errAddressEscape
		}
		if err := a.takeURL(strings.ToLower(key), value); err != nil {
			return a, err
		}
	}
	return a, a.finish()
}

// takeURL takes one parameter of a sqlserver:// address.
func (a *msAddress) takeURL(name, value string) error {
	switch name {
	case "database":
		a.database = value
	case "user+id", "user%20id":
		a.user = value
	case "password":
		a.password = value
	case "certificate", "tlsmin", "failoverport":
		a.params[name] = value
	default:
		return a.takeCommon(name, value)
	}
	return nil
}

// finish adds what follows from several parameters together, never weaker than what was asked for.
func (a *msAddress) finish() error {
	if a.host == "" {
		a.host = "localhost"
	}
	if a.params["failoverpartner"] != "" && a.database == "" {
		return errAddressPartner
	}
	switch _, said := a.params["trustservercertificate"]; a.params["encrypt"] {
	case "":
		// The default of the JDBC driver since 10.2. The driver in Go would go without, and without looking at certificates.
		a.params["encrypt"] = "true"
	case "false":
		// JDBC then encrypts the login only, with whatever certificate the server has.
		if !said {
			a.params["trustservercertificate"] = "true"
		}
	}
	if a.params["servercertificate"] != "" { // the certificate itself is compared, its name is not
		delete(a.params, "hostnameincertificate")
	}
	return nil
}

// toDatabase makes the public form.
func (a msAddress) toDatabase() Database {
	place := HostPort{Host: a.host, Port: a.port}
	u := url.URL{Scheme: "sqlserver"}
	switch {
	case a.port != 0: // it wins over the name of an instance
	case a.instance != "":
		place = HostPort{Host: a.host + `\` + a.instance, Port: msBrowserPort}
	default:
		place.Port = msDefaultPort
	}
	u.Host = HostPort{Host: a.host, Port: place.Port}.String()
	if place.Port == msBrowserPort && a.port == 0 {
		u.Host, u.Path = bracketed(a.host), "/"+a.instance
	}
	if a.user != "" {
		u.User = url.UserPassword(a.user, a.password)
	}
	query := url.Values{}
	if a.database != "" {
		query.Set("database", a.database)
	}
	for key, value := range a.params {
		query.Set(key, value)
	}
	u.RawQuery = query.Encode()
	return Database{
		Dialect: DialectSQLServer, Hosts: []HostPort{place}, Name: a.database, User: a.user,
		Password: NewSecret(a.password), DSN: NewSecret(u.String()), Params: maps.Clone(a.params),
	}
}

// bracketed is a host as it stands in a URL.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
