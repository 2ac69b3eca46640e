package config

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// The faults of a data source whose address is given in parts. None quotes a part.
var (
	errPartsNumber = errors.New("there are not as many portNumbers as serverNames")
	errPartsDriver = errors.New("driverType is not thin; any other needs Oracle's client library, which hotcold does not use")
	errPartsOracle = errors.New("the data source of Oracle wants serverName, portNumber, and serviceName or databaseName (the SID)")
	errPartsServer = errors.New("serverName is one name; several want serverNames, or an address in dataSource.url")
	errPartsSigns  = errors.New("a part holds a character that means something in an address; want dataSource.url, or hotcold.database.url")
	errPartsTNS    = errors.New("tnsEntryName is a name of tnsnames.ora, which hotcold does not read; want dataSource.url with (DESCRIPTION=...), or hotcold.database.url")
)

// partNames are the properties that make an address, in small letters.
func partNames() []string {
	return []string{"servername", "servernames", "port", "portnumber", "portnumbers", "databasename", "servicename", "instancename", "drivertype", "networkprotocol", "tnsentryname"}
}

// sourceFamily is the scheme of the addresses that the data source of this class, in small letters, has; or "".
func sourceFamily(class string) string {
	for prefix, family := range map[string]string{
		"org.postgresql.": "postgresql", "org.mariadb.": "mariadb", "com.mysql.": "mysql", "com.microsoft.sqlserver.": "sqlserver", "oracle.jdbc.": "oracle",
	} {
		if strings.HasPrefix(class, prefix) {
			return family
		}
	}
	return ""
}

// sourceParts are the properties of the node's data source other than its address and its login, by their names in
// small letters, and the value that tells where they stand. What is no text is the node's affair.
func (d *decoder) sourceParts() (parts map[string]string, at hocon.Value) {
	parts = map[string]string{}
	properties := d.cfg.At(dataSource)
	keys := properties.Get("dataSource").Keys()
	for _, key := range properties.Keys() {
		if name, found := strings.CutPrefix(key, "dataSource."); found && !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
	for _, key := range keys {
		name := strings.ToLower(key)
		if slices.Contains([]string{"url", "user", "username", "password"}, name) {
			continue
		}
		v := d.nodeValue(key)
		text, err := sourceText(v)
		if err != nil || !written(v) {
			continue
		}
		parts[name] = text
		if slices.Contains(partNames(), name) && (!at.Exists() || strings.HasPrefix(name, "servername")) {
			at = v
		}
	}
	return parts, at
}

// sourceText is a property as one text; of a list, its elements with commas, as HikariCP takes them.
func sourceText(v hocon.Value) (string, error) {
	if v.Kind() != hocon.List {
		return unmasked(v)
	}
	list, err := v.List()
	if err != nil {
		return "", err
	}
	var texts []string
	for _, one := range list {
		text, err := unmasked(one)
		if err != nil {
			return "", err
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ","), nil
}

// assemble makes the address that a data source has, out of its url, which may be empty, and its other properties.
func assemble(family, address string, parts map[string]string) (string, error) {
	switch family {
	case "postgresql":
		return assemblePostgres(address, parts)
	case "mariadb", "mysql":
		return assembleMySQL(family, address, parts)
	case "sqlserver":
		return assembleSQLServer(address, parts), nil
	case "oracle":
		return assembleOracle(address, parts)
	}
	return address, nil
}

// withQuery adds those of the parts that are the names' to the parameters of an address.
func withQuery(address string, parts, names map[string]string, escape func(string) string) string {
	for _, part := range slices.Sorted(maps.Keys(names)) {
		value, found := parts[part]
		if !found {
			continue
		}
		sign := "?"
		if strings.Contains(address, "?") {
			sign = "&"
		}
		address += sign + names[part] + "=" + escape(value)
	}
	return address
}

func assemblePostgres(address string, parts map[string]string) (string, error) {
	if address == "" {
		servers := strings.Split(firstOf(parts, "servernames", "servername", "localhost"), ",")
		if _, several := parts["servernames"]; !several && len(servers) > 1 {
			return "", errPartsServer
		}
		ports := strings.Split(firstOf(parts, "portnumbers", "portnumber", "0"), ",")
		if len(ports) != len(servers) {
			return "", errPartsNumber
		}
		for i := range ports {
			if ports[i] != "0" { // which stands for the usual one
				servers[i] += ":" + ports[i]
			}
		}
		if slices.ContainsFunc(servers, func(s string) bool { return strings.ContainsAny(s, "/?@") }) {
			return "", errPartsSigns
		}
		address = "jdbc:postgresql://" + strings.Join(servers, ",") + "/" + url.QueryEscape(parts["databasename"])
	}
	return withQuery(address, parts, map[string]string{
		"ssl": "ssl", "sslmode": "sslmode", "sslrootcert": "sslrootcert", "sslcert": "sslcert", "sslkey": "sslkey", "sslpassword": "sslpassword",
		"currentschema": "currentSchema", "targetservertype": "targetServerType", "options": "options", "channelbinding": "channelBinding",
		"sslfactory": "sslfactory", "sslhostnameverifier": "sslhostnameverifier", "socketfactory": "socketFactory",
	}, url.QueryEscape), nil
}

func assembleMySQL(family, address string, parts map[string]string) (string, error) {
	if address == "" {
		server, database := parts["servername"], parts["databasename"]
		if server == "" {
			server = "localhost"
		}
		if strings.ContainsAny(server, ",/?@#()") || family == "mariadb" && strings.ContainsAny(database, "/?@") {
			return "", errPartsSigns
		}
		server = bracketed(strings.Trim(server, "[]"))
		if port := firstOf(parts, "portnumber", "port", ""); port != "" {
			server += ":" + port
		}
		if family == "mysql" {
			database = url.QueryEscape(database)
		}
		address = "jdbc:" + family + "://" + server + "/" + database
	}
	if properties := parts["properties"]; family == "mariadb" && properties != "" {
		if strings.Contains(address, "?") {
			return address + "&" + properties, nil
		}
		return address + "?" + properties, nil
	}
	if family == "mariadb" {
		return address, nil
	}
	return withQuery(address, parts, map[string]string{
		"usessl": "useSSL", "requiressl": "requireSSL", "verifyservercertificate": "verifyServerCertificate", "sslmode": "sslMode",
		"trustcertificatekeystoreurl": "trustCertificateKeyStoreUrl", "clientcertificatekeystoreurl": "clientCertificateKeyStoreUrl",
		"socketfactory": "socketFactory", "defaultauthenticationplugin": "defaultAuthenticationPlugin",
	}, url.QueryEscape), nil
}

// assembleSQLServer writes every property into the address: they win over what it says.
func assembleSQLServer(address string, parts map[string]string) string {
	if address == "" {
		address = "jdbc:sqlserver://"
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		address += ";" + name + "={" + strings.ReplaceAll(parts[name], "}", "}}") + "}"
	}
	return address
}

// assembleOracle makes a descriptor, as the data source does; with an address it looks at no part.
func assembleOracle(address string, parts map[string]string) (string, error) {
	if address != "" {
		return address, nil
	}
	if _, found := parts["tnsentryname"]; found {
		return "", errPartsTNS
	}
	if driver := parts["drivertype"]; driver != "" && driver != "thin" {
		return "", errPartsDriver
	}
	for _, name := range partNames() {
		if strings.ContainsAny(parts[name], `()="'\@`) {
			return "", errPartsSigns
		}
	}
	data := "(SERVICE_NAME=" + parts["servicename"] + ")"
	if parts["servicename"] == "" {
		data = "(SID=" + parts["databasename"] + ")"
	}
	if parts["servername"] == "" || parts["portnumber"] == "" || parts["servicename"]+parts["databasename"] == "" {
		return "", errPartsOracle
	}
	return "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(PROTOCOL=" + firstOf(parts, "networkprotocol", "", "tcp") + ")(PORT=" + parts["portnumber"] +
		")(HOST=" + parts["servername"] + "))(CONNECT_DATA=" + data + "))", nil
}

// firstOf is the first of two parts that is there, or the other text.
func firstOf(parts map[string]string, one, two, other string) string {
	for _, name := range []string{one, two} {
		if text := parts[name]; text != "" {
			return text
		}
	}
	return other
}
