package hocon

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	minInt64 = math.MinInt64
	maxInt64 = math.MaxInt64
)

// looksNumeric keeps out what Go reads as a number and HOCON does not: inf, nan,
// hexadecimal, underscores.
func looksNumeric(text string) bool {
	return text != "" && strings.Trim(text, "0123456789eE+-.") == ""
}

func isRangeError(err error) bool { return errors.Is(err, strconv.ErrRange) }

// Duration returns a span of time: a number and a unit from ns to d, or a number
// alone, which counts in unit. In HOCON's own reading that is time.Millisecond.
func (v Value) Duration(unit time.Duration) (time.Duration, error) {
	const what = `a duration such as 500ms, 20s or "2 minutes"`
	text, e := v.scalar(what)
	if e != nil {
		return 0, e
	}
	if v.at().node.kind == nodeBool {
		return 0, v.want(what)
	}
	number, name := splitUnit(text)
	if number == "" || !looksNumeric(number) {
		return 0, v.Errorf("want %s, got text without a number", what)
	}
	if name != "" {
		known, ok := timeUnit(name)
		if !ok {
			return 0, v.Errorf("want %s, got the unit %q: it must be one of ns, us, ms, s, m, h, d", what, v.hide(name))
		}
		unit = known
	}
	n, fault := truncated(number, int64(unit))
	if fault != "" {
		return 0, v.Errorf("want %s, got %s", what, fault)
	}
	return time.Duration(n), nil
}

// Period is a span of the calendar, whose length depends on when it begins.
type Period struct{ Years, Months, Days int }

// String writes the period as ISO 8601 does: P1Y2M3D.
func (p Period) String() string {
	if p == (Period{}) {
		return "P0D"
	}
	out := "P"
	for _, part := range []struct {
		n    int
		unit string
	}{{p.Years, "Y"}, {p.Months, "M"}, {p.Days, "D"}} {
		if part.n != 0 {
			out += strconv.Itoa(part.n) + part.unit
		}
	}
	return out
}

// Period returns a span of the calendar: a whole number and a unit of d, w, m (or
// mo) and y, or their long names, or a number of days alone.
func (v Value) Period() (Period, error) {
	const what = `a period such as 3d, 2 weeks, 6 months or 1y`
	text, e := v.scalar(what)
	if e != nil {
		return Period{}, e
	}
	if v.at().node.kind == nodeBool {
		return Period{}, v.want(what)
	}
	number, name := splitUnit(text)
	n, err := strconv.ParseInt(number, 10, 32)
	if err != nil {
		return Period{}, v.Errorf("want %s, got text without a whole number", what)
	}
	switch name {
	case "", "d", "day", "days":
		return Period{Days: int(n)}, nil
	case "w", "week", "weeks":
		if n > math.MaxInt32/7 || n < math.MinInt32/7 {
			return Period{}, v.Errorf("want %s, got one that is too large", what)
		}
		return Period{Days: int(n) * 7}, nil
	case "m", "mo", "month", "months":
		return Period{Months: int(n)}, nil
	case "y", "year", "years":
		return Period{Years: int(n)}, nil
	}
	return Period{}, v.Errorf("want %s, got the unit %q: it must be one of d, w, m, y", what, v.hide(name))
}

// Bytes returns a size in bytes: a number and a unit such as kB (1000) or KiB, K
// or k (1024), or a number of bytes alone.
func (v Value) Bytes() (int64, error) {
	const what = "a size such as 512, 64KiB or 10MB"
	text, e := v.scalar(what)
	if e != nil {
		return 0, e
	}
	if v.at().node.kind == nodeBool {
		return 0, v.want(what)
	}
	number, name := splitUnit(text)
	if number == "" || !looksNumeric(number) {
		return 0, v.Errorf("want %s, got text without a number", what)
	}
	base, power, ok := sizeUnit(name)
	if !ok {
		return 0, v.Errorf("want %s, got the unit %q: it must be one such as B, kB, MB, GB, KiB, MiB, GiB, K, M, G", what, v.hide(name))
	}
	if power > 6 && strings.Trim(number, "+-0.") != "" {
		return 0, v.Errorf("want %s, got more than 8 EiB", what)
	}
	unit := int64(1)
	for range min(power, 6) {
		unit *= base
	}
	n, fault := truncated(number, unit)
	if fault != "" {
		return 0, v.Errorf("want %s, got %s", what, fault)
	}
	return n, nil
}

// splitUnit parts "1.5 s" into the number and the letters at the end.
func splitUnit(text string) (number, unit string) {
	text = trimSpace(text)
	number = strings.TrimRightFunc(text, unicode.IsLetter)
	return trimSpace(number), text[len(number):]
}

func timeUnit(name string) (time.Duration, bool) {
	switch name {
	case "ns", "nano", "nanos", "nanosecond", "nanoseconds":
		return time.Nanosecond, true
	case "us", "micro", "micros", "microsecond", "microseconds":
		return time.Microsecond, true
	case "ms", "milli", "millis", "millisecond", "milliseconds":
		return time.Millisecond, true
	case "s", "second", "seconds":
		return time.Second, true
	case "m", "minute", "minutes":
		return time.Minute, true
	case "h", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return 24 * time.Hour, true
	}
	return 0, false
}

// sizeUnit returns a unit as a power of 1000 or 1024.
func sizeUnit(name string) (base int64, power int, ok bool) {
	switch name {
	case "", "b", "B", "byte", "bytes":
		return 1, 0, true
	}
	for i, words := range [...][2]string{
		{"kilo", "kibi"}, {"mega", "mebi"}, {"giga", "gibi"}, {"tera", "tebi"},
		{"peta", "pebi"}, {"exa", "exbi"}, {"zetta", "zebi"}, {"yotta", "yobi"},
	} {
		small := words[0][:1]
		big := strings.ToUpper(small)
		thousand := big + "B"
		if small == "k" {
			thousand = "kB"
		}
		switch name {
		case thousand, words[0] + "byte", words[0] + "bytes":
			return 1000, i + 1, true
		case small, big, big + "i", big + "iB", words[1] + "byte", words[1] + "bytes":
			return 1024, i + 1, true
		}
	}
	return 0, 0, false
}

// truncated returns a decimal number times unit, cut to a whole number.
func truncated(number string, unit int64) (int64, string) {
	r, fault := decimal(number)
	if fault != "" {
		return 0, fault
	}
	r.Mul(r, new(big.Rat).SetInt64(unit))
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	if !whole.IsInt64() {
		return 0, "one that is too large"
	}
	return whole.Int64(), ""
}

// scaled returns a decimal number times unit, which must be a whole number.
func scaled(number string, unit int64) (int64, string) {
	r, fault := decimal(number)
	if fault != "" {
		return 0, fault
	}
	r.Mul(r, new(big.Rat).SetInt64(unit))
	if !r.IsInt() {
		return 0, "a fraction"
	}
	if !r.Num().IsInt64() {
		return 0, "one that is too large"
	}
	return r.Num().Int64(), ""
}

// maxExponent keeps 1e999999999 from being written out in full.
const maxExponent = 400

func decimal(number string) (*big.Rat, string) {
	if i := strings.IndexAny(number, "eE"); i >= 0 {
		exp, err := strconv.Atoi(number[i+1:])
		if err != nil && !isRangeError(err) {
			return nil, "text that is no number"
		}
		if exp > maxExponent || err != nil {
			return nil, "one that is too large"
		}
		if exp < -maxExponent {
			return nil, "a fraction too small"
		}
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return nil, "text that is no number"
	}
	return r, ""
}
