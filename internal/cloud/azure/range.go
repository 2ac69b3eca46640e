package azure

import (
	"regexp"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
)

// ports are those of a probe and of the machines' side of a rule.
func ports() cloud.Range { return cloud.Range{Min: 1, Max: 65535} }

// frontendPorts leave out the last one: Azure keeps it.
func frontendPorts() cloud.Range { return cloud.Range{Min: 1, Max: 65534} }

// intervals of a probe.
func intervals() cloud.Range { return cloud.Range{Min: 5, Max: 2147483646, Unit: time.Second} }

// thresholds are how many looks in a row change what is thought of a machine, both ways.
func thresholds() cloud.Range { return cloud.Range{Min: 1, Max: 100} }

// idleTimeouts of a rule.
func idleTimeouts() cloud.Range { return cloud.Range{Min: 4, Max: 100, Unit: time.Minute} }

// standardQuota and premiumQuota are sizes of a file share in GiB.
func standardQuota() cloud.Range { return cloud.Range{Min: 1, Max: 102400} }
func premiumQuota() cloud.Range  { return cloud.Range{Min: 100, Max: 102400} }

// barredPorts are refused to a probe by HTTP.
func barredPorts() []int { return []int{19, 21, 25, 70, 110, 119, 143, 220, 993} }

// maxProbeTimeout is how long Azure waits for an answer by HTTP, unless the next look is due sooner.
const maxProbeTimeout = 30 * time.Second

func groupForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[A-Za-z0-9_().-]{0,89}[A-Za-z0-9_()-]$`), Words: "1 to 90 letters, digits, underscores, parentheses, hyphens and dots, without a dot at the end"}
}

func resourceForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,78}[A-Za-z0-9_])?$`), Words: "1 to 80 letters, digits, underscores, dots and hyphens, a letter or digit first"}
}

// nameForm is for what begins the names of resources, so that all of them fit.
func nameForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,29}$`), Words: "1 to 30 letters, digits and hyphens, a letter or digit first"}
}

func locationForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[a-z0-9]{2,40}$`), Words: "a region such as westeurope, in lower-case letters and digits"}
}

func accountForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[a-z0-9]{3,24}$`), Words: "3 to 24 lower-case letters and digits"}
}

func shareForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[a-z0-9](-?[a-z0-9]){2,62}$`), Words: "3 to 63 lower-case letters, digits and single hyphens, a letter or digit at both ends"}
}

// pathForm is that of a path that a probe asks for. It goes into a script, so quotes and $ are left out.
func pathForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^/[A-Za-z0-9_.~!&()*+,;=:@%/?-]{0,1000}$`), Words: "a path of at most 1000 characters that begins with a slash, without blanks and quotes"}
}
