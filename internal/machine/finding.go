package machine

import "fmt"

// Level says how much a finding weighs.
type Level string

// The levels. Only Fault makes a check end in failure.
const (
	OK      Level = "ok"
	Note    Level = "note"    // worth knowing
	Warning Level = "warning" // works, and is probably not meant
	Fault   Level = "fault"   // the node would not run here
)

// Finding is one thing that was found.
type Finding struct {
	Level Level `json:"level"`
	// About is what was looked at: "java", "limits", "user", "unit", "clock", "room".
	About string `json:"about"`
	// Text is what was found, Next what to do about it; Next is empty where nothing is to be done.
	Text string `json:"text"`
	Next string `json:"next,omitempty"`
}

// String is the finding in one line.
func (f Finding) String() string {
	if f.Next == "" {
		return f.Text
	}
	return f.Text + ": " + f.Next
}

func finding(l Level, about, next, format string, args ...any) Finding {
	return Finding{Level: l, About: about, Text: fmt.Sprintf(format, args...), Next: next}
}
