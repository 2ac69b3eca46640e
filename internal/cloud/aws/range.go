package aws

import (
	"regexp"
	"time"

	"github.com/hotcold/hotcold/internal/cloud"
)

func ports() cloud.Range { return cloud.Range{Min: 1, Max: 65535} }

// Health checks of a Classic Load Balancer, and of a target group where it differs.
func intervals() cloud.Range     { return cloud.Range{Min: 5, Max: 300, Unit: time.Second} }
func timeouts() cloud.Range      { return cloud.Range{Min: 2, Max: 60, Unit: time.Second} }
func groupTimeouts() cloud.Range { return cloud.Range{Min: 2, Max: 120, Unit: time.Second} }
func thresholds() cloud.Range    { return cloud.Range{Min: 2, Max: 10} }

// Idle timeouts of a Classic Load Balancer, as all its interfaces take them, and of a listener for TCP.
func idleTimeouts() cloud.Range     { return cloud.Range{Min: 1, Max: 3600, Unit: time.Second} }
func listenerTimeouts() cloud.Range { return cloud.Range{Min: 60, Max: 6000, Unit: time.Second} }

// pathForm is that of a path that a health check asks for. It goes into a script, so quotes and $ are left out.
func pathForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^/[A-Za-z0-9_.~!&()*+,;=:@%/?-]{0,1000}$`), Words: "a path of at most 1000 characters that begins with a slash, without blanks and quotes"}
}

// balancerForm is that of a load balancer's and a target group's name.
func balancerForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`), Words: "1 to 32 letters, digits and hyphens, a letter or digit at both ends"}
}

func regionForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`), Words: "a region such as eu-west-1"}
}

func vpcForm() cloud.Form { return identifier("vpc", "a VPC") }

func subnetForm() cloud.Form { return identifier("subnet", "a subnet") }

func instanceForm() cloud.Form { return identifier("i", "an instance") }

func fileSystemForm() cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^fs-[0-9a-f]{8,40}$`), Words: "the identifier of a file system, fs- and 8 to 40 hexadecimal digits"}
}

func identifier(prefix, what string) cloud.Form {
	return cloud.Form{Matches: regexp.MustCompile(`^` + prefix + `-([0-9a-f]{8}|[0-9a-f]{17})$`), Words: "the identifier of " + what + ", " + prefix + "- and 8 or 17 hexadecimal digits"}
}
