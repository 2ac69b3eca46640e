package config

import (
	"fmt"
	"strings"
)

// ManPage is hotcold.conf(5) as roff, made of the table.
func ManPage() string {
	var b strings.Builder
	b.WriteString(`.TH HOTCOLD.CONF 5 "" hotcold
.SH NAME
hotcold.conf \- settings of the agent that keeps one node of two running
.SH DESCRIPTION
The file is HOCON. It mostly begins with
.BR "include \(dqnode.conf\(dq" ,
so that what the node's own file says is not said twice. What is hotcold's own stands under
.BR hotcold ;
a key there that does not exist is an error, and all other keys belong to the node.
.PP
A number without a unit that stands for a span of time is milliseconds. Paths are relative to the base directory of the
node, those of nodeConf and baseDirectory to the directory of hotcold.conf. A command that is a list is run as it stands;
one text goes to /bin/sh \-c. Substitutions stand outside of quotes.
.SH SETTINGS
`)
	for _, s := range table() {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(s.Path), roff(s.Meaning))
		kind := string(s.Type)
		if len(s.Choices) > 0 {
			kind += " (" + strings.Join(s.Choices, ", ") + ")"
		}
		if s.Min != "" || s.Max != "" {
			kind += ", from " + s.Min + " to " + s.Max
		}
		fmt.Fprintf(&b, ".br\nType: %s.\n.br\nDefault: %s.\n.br\nWhy change it: %s\n", roff(kind), roff(s.DefaultInWords()), roff(s.Why))
	}
	b.WriteString(`.SH FILES
.I ./hotcold.conf
.br
.I /etc/hotcold/hotcold.conf
.SH ENVIRONMENT
.TP
.B HOTCOLD_CONFIG
The file, where \-\-config does not name it.
.SH SEE ALSO
\fBhotcold config explain\fR, \fBhotcold config lint\fR
`)
	return b.String()
}

// roff writes a text so that nothing in it is a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "`", "", "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
