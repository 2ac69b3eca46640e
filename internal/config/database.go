package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hotcold/hotcold/hocon"
)

// prefixPattern is what may begin the names of tables: it is written into statements without quotes, and leaves room
// in Oracle's and PostgreSQL's limits for the rest of the name.
var prefixPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,29}$`)

// dataSource is node.conf's place for the database.
const dataSource = "dataSourceProperties"

// database reads where the lease is kept. Without a lease none is needed, and what would be wrong with it is not said.
func (d *decoder) database(needed bool) Database {
	const at = "hotcold.database."
	prefix := d.text(at + "tablePrefix")
	if _, v := d.setting(at + "tablePrefix"); written(v) && !prefixPattern.MatchString(prefix) {
		d.fail(v.Errorf("want at most 30 lower-case letters, digits and underscores, not beginning with a digit"))
	}
	replication := Replication(d.choice(at + "replication"))
	own := d.login()
	if !needed {
		return Database{}
	}
	address := d.cfg.At(at + "url")
	text, err := textOrFault(address)
	if !written(address) {
		var found bool
		if text, address, found, err = d.nodeAddress(); !found {
			d.missing(at+"url", "no database: the lease has to be where both machines see it; "+wantedDatabase)
			return Database{}
		}
		own = d.nodeLogin(own)
	}
	d.where[at+"url"], d.origins[at+"url"] = Pos(address.Pos()), address.Origin()
	if err != nil {
		d.fail(err)
		return Database{}
	}
	db := d.open(address, text, own)
	db.TablePrefix, db.Replication = prefix, replication
	d.show(at+"url", db)
	return db
}

// quotedSubstitution is the fault of a value that was meant to come from elsewhere.
const quotedSubstitution = "still holds ${: nothing is substituted inside quotes; write ${NAME} without quotes"

// wantedDatabase is the next step where the database is missing or of the wrong kind.
const wantedDatabase = `set hotcold.database.url = "postgres://host:5432/database" (or "sqlite:/path/file.db" for two agents on one machine)`

// login is who logs in.
type login struct {
	user     string
	password Secret
}

// login reads hotcold's own user and password.
func (d *decoder) login() login {
	const at = "hotcold.database."
	l := login{user: d.text(at + "user"), password: d.secret(at + "password")}
	fromFile := d.secretFile(at + "passwordFile")
	if d.isWritten(at+"password") && d.isWritten(at+"passwordFile") {
		d.fail(d.cfg.At(at + "passwordFile").Errorf("want only one of hotcold.database.password and hotcold.database.passwordFile"))
	}
	if l.password.Empty() {
		l.password = fromFile
	}
	// The row is there for the check of keys and the manual; its value is read by database.
	d.setting(at + "url")
	return l
}

// nodeLogin fills in the node's own user and password, where its database is used too. Another user gets no password
// that is not his.
func (d *decoder) nodeLogin(own login) login {
	if own.user != "" {
		return own
	}
	// HikariCP's own pair wins over that of the data source.
	pool := d.cfg.At(dataSource)
	if user := textOr(pool.Get("username")); user != "" {
		own.user = user
		if own.password.Empty() {
			own.password = NewSecret(textOr(pool.Get("password")))
		}
		return own
	}
	own.user = d.nodeProperty("user")
	if own.password.Empty() {
		own.password = NewSecret(d.nodeProperty("password"))
	}
	return own
}

// nodeValue finds a property of the node's data source. "dataSource.url" as one quoted key and as nested keys are
// the same property to Corda.
func (d *decoder) nodeValue(name string) hocon.Value {
	properties := d.cfg.At(dataSource)
	nested, flat := properties.Get("dataSource").Get(name), properties.Get("dataSource."+name)
	if written(nested) && written(flat) {
		d.warnings = append(d.warnings, Warning{
			Pos: Pos(flat.KeyPos()), Path: dataSource + ".dataSource." + name,
			Text: "is written as one quoted key and as nested keys; which one the node takes is not certain, hotcold takes the nested one",
		})
	}
	if written(nested) {
		return nested
	}
	return flat
}

// nodeProperty is the text of such a property, or "". That it is no text is the node's affair.
func (d *decoder) nodeProperty(name string) string { return textOr(d.nodeValue(name)) }

// textOr is a text, or "".
func textOr(v hocon.Value) string {
	text, err := textOrFault(v)
	if err != nil {
		return ""
	}
	return text
}

// textOrFault is the text of a value, which is "" where nothing is written.
func textOrFault(v hocon.Value) (string, error) {
	if !written(v) {
		return "", nil
	}
	return unmasked(v)
}

// nodeAddress finds the address of the node's database and where it stands: the url of the data source with its
// other properties, or these alone. HikariCP looks at jdbcUrl only where there is no class of a data source.
func (d *decoder) nodeAddress() (text string, at hocon.Value, found bool, err error) {
	properties, class := d.cfg.At(dataSource), d.nodeClass()
	at = d.nodeValue("url")
	if !written(at) {
		at = d.nodeValue("URL")
	}
	if direct := properties.Get("jdbcUrl"); written(direct) && class == "" {
		if written(at) {
			d.warn(at, "HikariCP looks at jdbcUrl, which stands beside it, and so does hotcold")
		}
		at = direct
	}
	if text, err = textOrFault(at); err != nil {
		return "", at, true, err
	}
	parts, partsAt := d.sourceParts()
	if direct := properties.Get("jdbcUrl"); written(direct) && class == "" {
		return text, at, true, d.besideJDBCURL(direct, parts)
	}
	family := sourceFamily(class)
	switch {
	case !written(at) && !partsAt.Exists():
		return "", hocon.Value{}, false, nil
	case !written(at) && family == "":
		d.warn(partsAt, "hotcold does not know how this data source makes an address of its parts; want dataSource.url, or hotcold.database.url")
		return "", hocon.Value{}, false, nil
	case written(at) && partsAt.Exists() && family != "sqlserver": // whose properties win; elsewhere the order decides, which nobody wrote
		d.warn(partsAt, "stands beside the address of the data source; which one the node takes is not certain, hotcold takes the address")
	case !written(at):
		at = partsAt
	}
	if text, err = assemble(family, text, parts); err != nil {
		err = at.Errorf("the parts of the data source make no address: %v", err)
	}
	return text, at, true, err
}

// besideJDBCURL looks at the properties that HikariCP hands to the driver beside jdbcUrl. hotcold reads the address
// alone, and does not go on without what somebody asked for to be safe.
func (d *decoder) besideJDBCURL(at hocon.Value, parts map[string]string) error {
	var needed, others []string
	for name := range parts {
		if guarding.MatchString(name) {
			needed = append(needed, "dataSource."+name)
		} else {
			others = append(others, "dataSource."+name)
		}
	}
	d.warnIgnored(at, others)
	if len(needed) > 0 {
		return at.Errorf("stands beside properties that hotcold does not hand to its driver: %s; write them into jdbcUrl, or set hotcold.database.url",
			sortedNames(needed))
	}
	return nil
}

// guarding finds the names of properties that have to do with TLS and logins.
var guarding = regexp.MustCompile(`(?i)ssl|tls|cert|trust|encrypt|key|auth|socketfactory|kerberos|credential`)

// open turns an address into what a driver is opened with. No fault quotes the address: it may hold a password.
func (d *decoder) open(v hocon.Value, text string, l login) Database {
	if strings.Contains(text, "${") {
		d.fail(v.Errorf(quotedSubstitution))
		return Database{}
	}
	scheme, rest, _ := strings.Cut(text, ":")
	if strings.EqualFold(scheme, "jdbc") {
		scheme, rest, _ = strings.Cut(rest, ":")
		switch strings.ToLower(scheme) {
		case "postgresql":
			return d.openPostgres(v, text, parseJDBCPostgres, l)
		case "mariadb":
			return d.openMySQL(v, text, parseJDBCMariaDB, DialectMariaDB, l)
		case "mysql", "mysql+srv":
			if strings.Contains(d.nodeClass()+textOr(d.cfg.At(dataSource).Get("driverClassName")), "mariadb") { // whose driver takes these addresses too
				return d.openMySQL(v, text, parseJDBCMariaDB, DialectMariaDB, l)
			}
			return d.openMySQL(v, text, parseJDBCMySQL, DialectMySQL, l)
		}
		if strings.EqualFold(scheme, string(DialectSQLServer)) {
			return d.openSQLServer(v, text, parseJDBCSQLServer, l)
		}
		if strings.EqualFold(scheme, string(DialectOracle)) {
			return d.openOracle(v, text, parseJDBCOracle, l)
		}
	}
	switch dialect := dialectOf(strings.ToLower(scheme)); dialect {
	case DialectPostgres:
		return d.openPostgres(v, text, parsePostgresURL, l)
	case DialectMySQL, DialectMariaDB:
		return d.openMySQL(v, text, parseMyURL, dialect, l)
	case DialectSQLServer:
		return d.openSQLServer(v, text, parseSQLServerURL, l)
	case DialectOracle:
		return d.openOracle(v, text, parseOracleURL, l)
	case DialectSQLite:
		return d.openSQLite(v, rest)
	case DialectEtcd:
		return d.openEtcd(v, text, l)
	case DialectH2:
		d.fail(v.Errorf("H2 keeps its data in a file on one machine, so two machines would have two leases; %s", wantedDatabase))
	case "":
		d.fail(v.Errorf("want an address that begins with postgres://, mysql://, mariadb://, sqlserver://, oracle://, jdbc:, etcd://, etcds:// or sqlite:"))
	}
	return Database{}
}

// dialectOf tells a dialect from the first word of an address.
func dialectOf(scheme string) Dialect {
	switch scheme {
	case "postgres", "postgresql":
		return DialectPostgres
	case "sqlite", "sqlite3":
		return DialectSQLite
	case "etcd", "etcds":
		return DialectEtcd
	}
	for _, dialect := range []Dialect{DialectSQLServer, DialectOracle, DialectMySQL, DialectMariaDB, DialectH2} {
		if scheme == string(dialect) {
			return dialect
		}
	}
	return ""
}

func (d *decoder) openPostgres(v hocon.Value, text string, parse func(string) (pgAddress, error), l login) Database {
	a, err := parse(text)
	if err != nil {
		d.fail(v.Errorf("cannot be read as an address of PostgreSQL: %v", err))
		return Database{}
	}
	a.user, a.password = l.over(a.user, a.password)
	d.warnIgnored(v, a.ignored)
	if value := a.params["target_session_attrs"]; !slices.Contains([]string{"", "any", "primary", "read-write"}, value) {
		d.fail(v.Errorf("target_session_attrs asks for a server that takes no writes; the lease wants read-write"))
		return Database{}
	}
	return a.toDatabase()
}

// nodeClass is the class of the node's data source, in small letters, or "".
func (d *decoder) nodeClass() string {
	class, err := unmasked(d.cfg.At(dataSource).Get("dataSourceClassName"))
	if err != nil {
		return ""
	}
	return strings.ToLower(class)
}

func (d *decoder) openMySQL(v hocon.Value, text string, parse func(string) (myAddress, error), dialect Dialect, l login) Database {
	a, err := parse(text)
	if err != nil {
		d.fail(v.Errorf("cannot be read as an address of MySQL or MariaDB: %v", err))
		return Database{}
	}
	a.user, a.password = l.over(a.user, a.password)
	d.warnIgnored(v, a.ignored)
	for _, key := range myFiles() {
		if file := a.params[key]; file != "" {
			a.params[key] = d.absolute(file)
		}
	}
	return a.toDatabase(dialect)
}

func (d *decoder) openSQLServer(v hocon.Value, text string, parse func(string) (msAddress, error), l login) Database {
	a, err := parse(text)
	if err != nil {
		d.fail(v.Errorf("cannot be read as an address of SQL Server: %v", err))
		return Database{}
	}
	if len(a.refused) > 0 {
		d.fail(v.Errorf("hotcold logs in to SQL Server with a user and a password over plain sockets and TLS, and cannot do what these ask for: %s; "+
			"set hotcold.database.url without them", sortedNames(a.refused)))
		return Database{}
	}
	a.user, a.password = l.over(a.user, a.password)
	d.warnIgnored(v, a.ignored)
	return a.toDatabase()
}

func (d *decoder) openOracle(v hocon.Value, text string, parse func(string) (oraAddress, error), l login) Database {
	a, err := parse(text)
	if err != nil {
		d.fail(v.Errorf("cannot be read as an address of Oracle: %v", err))
		return Database{}
	}
	a.user, a.password = l.over(a.user, a.password)
	d.warnIgnored(v, a.ignored)
	return a.toDatabase()
}

// over is who logs in where both an address and settings say it. Another user gets no password that is not his.
func (l login) over(user, password string) (string, string) {
	if l.user != "" {
		if user != "" && user != l.user {
			password = ""
		}
		user = l.user
	}
	if !l.password.Empty() {
		password = l.password.Reveal()
	}
	return user, password
}

func (d *decoder) warnIgnored(v hocon.Value, ignored []string) {
	if len(ignored) > 0 {
		d.warn(v, "these parameters have no meaning for the lease and are left out: "+sortedNames(ignored))
	}
}

func sortedNames(names []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(names))), ", ")
}

func (d *decoder) openSQLite(v hocon.Value, rest string) Database {
	path := strings.TrimPrefix(rest, "//")
	switch {
	case path == "" || strings.Contains(path, ":memory:"):
		d.fail(v.Errorf("want the path of a file after sqlite: (a database in memory is seen by one process only)"))
		return Database{}
	case strings.ContainsAny(path, "?#%\x00"):
		d.fail(v.Errorf("want a plain path after sqlite:, without ?, # and %%"))
		return Database{}
	}
	path = d.absolute(path)
	return Database{Dialect: DialectSQLite, Name: path, DSN: NewSecret(path), Params: map[string]string{}}
}
