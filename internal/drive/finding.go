package drive

import "fmt"

// Level says how much a finding weighs.
type Level string

// The levels. Only Fault makes a check end in failure.
const (
	OK      Level = "ok"
	Note    Level = "note"    // worth knowing
	Warning Level = "warning" // works, and is probably not meant
	Fault   Level = "fault"   // a takeover would fail, or data may be lost
)

// Finding is one thing that was found about a drive.
type Finding struct {
	Level Level `json:"level"`
	// About is what was looked at: "mount", "options", "fstab", "marker", "link",
	// "rights", "locks", "speed", "mount point", "room".
	About string `json:"about"`
	// Code is a short word for machines, which stays the same: "nobrl", "notMounted".
	Code string `json:"code"`
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

// Codes of findings which mean that no node may be started on a drive like that,
// whatever a person has configured.
const (
	CodeNotMounted    = "notMounted"
	CodeWrongType     = "type"
	CodeWrongSource   = "source"
	CodeReadOnly      = "ro"
	CodeLocksPerMount = "locksPerMount"
	CodeNoFiles       = "objectStore"
	CodeOtherDrive    = "otherDrive"
	CodeNoMarker      = "noMarker"
)

// Unfit tells whether a finding keeps a cold machine from taking over. Other faults
// are for a person to mend: a pair that does without its back-up because of an option
// would be worse off.
func (f Finding) Unfit() bool {
	switch f.Code {
	case CodeNotMounted, CodeWrongType, CodeWrongSource, CodeReadOnly, CodeLocksPerMount, CodeNoFiles, CodeOtherDrive, CodeNoMarker:
		return f.Level == Fault
	}
	return false
}

func finding(level Level, about, code, next, format string, args ...any) Finding {
	return Finding{Level: level, About: about, Code: code, Text: fmt.Sprintf(format, args...), Next: next}
}
