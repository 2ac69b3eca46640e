package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The limits of a descriptor: what people write is a hundred times smaller.
const (
	maxDescriptorBytes = 64 << 10
	maxDescriptorDepth = 16
)

var (
	errDescriptorForm = errors.New("the descriptor wants the form (DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=name)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=name)))")
	errDescriptorSize = fmt.Errorf("the descriptor is larger than %d bytes or deeper than %d brackets", maxDescriptorBytes, maxDescriptorDepth)
	errDescriptorMany = errors.New("there are several descriptions; want one, with all addresses of one service")
	errDescriptorMix  = errors.New("some addresses are TCP and some TCPS; want the same for all")
	errDescriptorName = errors.New("CONNECT_DATA wants SERVICE_NAME or SID, and only one of them")
	errOracleWallet   = errors.New("wallets are not read; have the server's certificate signed by a signer that the machine knows, and log in with a user and a password")
	errOracleDN       = errors.New("SSL_SERVER_CERT_DN cannot be kept: hotcold looks at the host in the server's certificate instead; " +
		"set hotcold.database.url to oracle://host:port/service?ssl=true if that will do")
	errOracleRoute = errors.New("SOURCE_ROUTE is not followed: the addresses are tried one after the other, each as the database; " +
		"set hotcold.database.url to oracle://host:port/service")
	errOracleInstance = errors.New("INSTANCE_NAME is not read: the lease belongs to the database, whichever instance answers; leave it out")
	errOracleToken    = errors.New("TOKEN_AUTH is not read; hotcold logs in with a user and a password")
	errOracleProxy    = errors.New("HTTPS_PROXY is not used; hotcold connects to the database itself")
)

// oraPair is "(NAME=value)" or "(NAME=(...)(...))" of a descriptor. The name is in capitals.
type oraPair struct {
	name, value string
	inner       []oraPair
}

// parseDescriptor reads one pair and nothing after it.
func parseDescriptor(text string) (oraPair, error) {
	if len(text) > maxDescriptorBytes {
		return oraPair{}, errDescriptorSize
	}
	pair, rest, err := parsePair(strings.TrimSpace(text), 0)
	if err == nil && strings.TrimSpace(rest) != "" {
		err = errDescriptorForm
	}
	return pair, err
}

// parsePair reads one pair at the beginning of a text, and returns what follows it.
func parsePair(text string, depth int) (pair oraPair, rest string, err error) {
	if depth > maxDescriptorDepth {
		return pair, "", errDescriptorSize
	}
	rest, found := strings.CutPrefix(text, "(")
	if !found {
		return pair, "", errDescriptorForm
	}
	name, rest, found := strings.Cut(rest, "=")
	pair.name = strings.ToUpper(strings.TrimSpace(name))
	if !found || !paramName.MatchString(pair.name) {
		return pair, "", errDescriptorForm
	}
	for rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "("); rest = strings.TrimSpace(rest) {
		var inner oraPair
		if inner, rest, err = parsePair(rest, depth+1); err != nil {
			return pair, "", err
		}
		pair.inner = append(pair.inner, inner)
	}
	if len(pair.inner) == 0 {
		if pair.value, rest, err = parseAtom(rest); err != nil {
			return pair, "", err
		}
	}
	if rest, found = strings.CutPrefix(rest, ")"); !found {
		return pair, "", errDescriptorForm
	}
	return pair, rest, nil
}

// parseAtom reads a value up to its bracket. In quotes brackets mean nothing; the quotes stay, as the driver has it.
func parseAtom(text string) (value, rest string, err error) {
	if quoted, found := strings.CutPrefix(text, `"`); found {
		value, rest, found = strings.Cut(quoted, `"`)
		if !found || strings.Contains(value, `\`) {
			return "", "", errDescriptorForm
		}
		return `"` + value + `"`, strings.TrimSpace(rest), nil
	}
	end := strings.IndexAny(text, `()="'\`)
	if end < 0 || text[end] != ')' {
		return "", "", errDescriptorForm
	}
	return strings.TrimSpace(text[:end]), text[end:], nil
}

// takeDescriptor reads "(DESCRIPTION=...)", which may stand alone in a list.
func (a *oraAddress) takeDescriptor(text string) error {
	pair, err := parseDescriptor(text)
	if err != nil {
		return err
	}
	if pair.name == "DESCRIPTION_LIST" {
		descriptions := slices.DeleteFunc(slices.Clone(pair.inner), func(p oraPair) bool { return p.name == "LOAD_BALANCE" || p.name == "FAILOVER" })
		if len(descriptions) != 1 {
			return errDescriptorMany
		}
		pair = descriptions[0]
	}
	if pair.name != "DESCRIPTION" {
		return errDescriptorForm
	}
	secured := map[bool]int{}
	for _, p := range pair.inner {
		var err error
		switch p.name {
		case "ADDRESS_LIST":
			err = a.takeAddressList(p, secured)
		case "ADDRESS":
			err = a.takeAddress(p, secured)
		case "CONNECT_DATA":
			err = a.takeConnectData(p)
		case "SECURITY":
			for _, s := range p.inner {
				err = errors.Join(err, a.takeOption(s.name, s.value))
			}
		default:
			err = a.takeOption(p.name, p.value)
		}
		if err != nil {
			return err
		}
	}
	a.tls = secured[true] > 0
	switch {
	case len(a.hosts) == 0:
		return errDescriptorForm
	case len(secured) > 1:
		return errDescriptorMix
	case (a.service == "") == (a.sid == ""):
		return errDescriptorName
	}
	return a.finish()
}

func (a *oraAddress) takeAddressList(list oraPair, secured map[bool]int) error {
	for _, p := range list.inner {
		var err error
		switch p.name {
		case "ADDRESS":
			err = a.takeAddress(p, secured)
		case "LOAD_BALANCE", "FAILOVER", "SOURCE_ROUTE":
			err = a.takeOption(p.name, p.value)
		default:
			err = errDescriptorForm
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeAddress reads "(ADDRESS=(PROTOCOL=TCP)(HOST=name)(PORT=1521))".
func (a *oraAddress) takeAddress(address oraPair, secured map[bool]int) error {
	var protocol, host, port string
	for _, p := range address.inner {
		switch p.name {
		case "PROTOCOL":
			protocol = strings.ToLower(p.value)
		case "HOST":
			host = p.value
		case "PORT":
			port = p.value
		default:
			if err := a.takeOption(p.name, p.value); err != nil {
				return err
			}
		}
	}
	if protocol != "tcp" && protocol != "tcps" || host == "" || port == "" || strings.Contains(host, ",") {
		return errDescriptorForm
	}
	hosts, err := parseHosts(bracketed(strings.Trim(host, "[]"))+":"+port, oraDefaultPort)
	if err != nil {
		return err
	}
	secured[protocol == "tcps"]++
	a.hosts = append(a.hosts, hosts...)
	return nil
}

func (a *oraAddress) takeConnectData(data oraPair) error {
	for _, p := range data.inner {
		switch p.name {
		case "SERVICE_NAME":
			a.service = p.value
		case "SID":
			a.sid = p.value
		case "SERVER":
			if !strings.EqualFold(p.value, "dedicated") { // which is what a session of the lease is anyway
				a.ignored = append(a.ignored, p.name)
			}
		case "FAILOVER_MODE", "GLOBAL_NAME", "CID":
			// These shape the node's own sessions.
		default:
			if err := a.takeOption(p.name, p.value); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeOption takes what may stand in a descriptor beside its addresses, and after the ? of an Easy Connect address.
func (a *oraAddress) takeOption(name, value string) error {
	yes := slices.Contains([]string{"on", "yes", "true"}, strings.ToLower(value))
	switch strings.ToUpper(name) {
	case "SSL_SERVER_CERT_DN":
		return errOracleDN
	case "MY_WALLET_DIRECTORY", "WALLET_LOCATION", "ORACLE.NET.WALLET_LOCATION":
		return errOracleWallet
	case "TOKEN_AUTH", "TOKEN_LOCATION", "PASSWORD_AUTH":
		return errOracleToken
	case "HTTPS_PROXY", "HTTPS_PROXY_PORT":
		return errOracleProxy
	case "INSTANCE_NAME":
		return errOracleInstance
	case "TNS_ADMIN", "ORACLE.NET.TNS_ADMIN":
		return errOracleTNS
	case "SOURCE_ROUTE":
		if yes {
			return errOracleRoute
		}
	case "FAILOVER":
		a.alone = a.alone || !yes
	case "SSL_SERVER_DN_MATCH":
		if !yes { // the name in a certificate is always looked at
			a.ignored = append(a.ignored, strings.ToUpper(name))
		}
	case "CONNECT_TIMEOUT", "TRANSPORT_CONNECT_TIMEOUT", "RETRY_COUNT", "RETRY_DELAY":
		a.ignored = append(a.ignored, strings.ToUpper(name))
	case "LOAD_BALANCE", "ENABLE", "SDU", "TDU", "SEND_BUF_SIZE", "RECV_BUF_SIZE", "EXPIRE_TIME", "TYPE_OF_SERVICE":
		// These shape the node's own sessions. The lease has its own deadlines and order of hosts.
	default:
		a.ignored = append(a.ignored, unknownParam)
	}
	return nil
}
