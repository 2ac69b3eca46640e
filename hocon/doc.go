// Package hocon reads HOCON, the configuration language of lightbend/config,
// and knows for every value where it came from.
//
// Reading has two steps. ParseFile, Parse and FromEntries make a Document of a file
// with what it includes, of a text, or of values that the program has. Resolve lays
// Documents over each other, the one of the highest priority first, and resolves the
// substitutions of all of them at once into a Config:
//
//	doc, err := hocon.ParseFile("node.conf")
//	cfg, err := hocon.Resolve(hocon.Layers{doc, defaults}, hocon.Env(os.LookupEnv))
//	port, err := cfg.At("rpcSettings.port").Int()
//	err = cfg.Decode(&settings, hocon.Strict)
//
// Diff compares two trees by meaning, Render writes one, Origin says where a value
// came from, and what is a secret is shown nowhere.
//
// # Traps of the language
//
//   - "${X}" in quotes is text. Nothing is substituted inside quotes; write
//     ${HOST}":"${PORT}.
//   - A later value beats an earlier one, but two objects merge. An object that has
//     beaten a text, a list or null merges with nothing below it, not even where a
//     substitution copies it to.
//   - a = ${a} looks back to the a before. An object looks forward: ${o.x} inside
//     of o sees what o.x is in the end.
//   - ${x} without a value is a fault, ${?x} is as if it had not been written. A key
//     that is null hides the environment.
//   - Variables of the environment are text: ${PORT} is "20000". Numbers and texts
//     convert into each other when they are read.
//   - 1.5 as a key is the path of 1 and 5. "a.b" as a key is one key, a.b is two.
//   - Text without quotes ends at any of $ " { } [ ] : = , + # ` ^ ? ! @ * & \ and at
//     a comment, so that http://x needs quotes.
//   - { } text drops the text. Nothing joins an object that follows its key without
//     a separator.
//   - += adds one element. It may not stand inside a list. After node = ${base},
//     node.l += 2 begins a new list.
//   - include "x" starts at the including file, include file("x") at the working
//     directory; a name without ending stands for .conf, .json and .properties together.
//     A missing file is silently nothing, but in required(). Named in full, as in
//     include "x.properties", a file is read as HOCON; as properties it is read by
//     include "x" and file("x.properties").
//   - A substitution in an included file is tried below the place of the include
//     statement first, and from the root then.
//   - m is minutes in a duration and months in a period; K, k and Ki are 1024, kB is
//     1000.
//
// # What it does not do
//
// It opens no URL and no Java class path: include url(...) and classpath(...)
// are refused. It reads no environment but through Env, and no Java system
// properties: those are a layer that the caller makes with FromEntries. It never logs.
//
// # What it guarantees
//
//   - It behaves as lightbend/config 1.3.4 does, which is what a Corda node
//     reads its configuration with, but in the points below.
//   - Keys keep the order of their first appearance, numbers their text. The same
//     input gives the same result and the same faults in the same order.
//   - It does not panic, and Limits bound its time and memory, whatever the input.
//   - As many faults as possible are told in one run, up to 25.
//
// # Where it departs from the reference
//
//   - Circles. Where optional substitutions lead back to themselves, or a field looks
//     at the object around it, the reference answers by the order of its hash maps or
//     finds nothing; here there is one answer, which may be another.
//   - Where an object lies over a value of another kind, the reference loses what a
//     field in it looks back to, if that has substitutions itself. Here it is found.
//   - The reference fails with "bug or broken" on some nested stacks of values, and
//     takes a file for missing in which a required file is. Here neither is so.
//   - An included file that exists but cannot be read is a fault, not missing. A file
//     with substitutions is not included inside a list.
//   - A number with a fraction is not cut to a whole one, and a number, a duration or
//     a size that does not fit is a fault. Fractions of a unit are exact. Java's own
//     spellings of numbers (NaN, Infinity, 1d, 1f) are text.
//   - The byte order mark at the beginning of a .properties file is not part of the
//     first key. Half of a pair of surrogates in an escape is U+FFFD by itself.
//
// # Limits
//
// Limits bounds each document, and the whole by those of the first layer: 1000
// levels of nesting, 10 million values, 64 MiB for a file, 50 levels of include
// statements, 1000 included files, 256 MiB for the resolved tree. Circles of include
// statements are faults. Chains of substitutions may have 10,000 links.
//
// # Secrets
//
// The rules of Secrets tell by path, or by the name of a variable, what is a
// secret; DefaultSecrets are in force without any. The taint follows the value through
// substitutions and concatenation. Printing in any verb, JSON, slog, faults, Render and
// Diff show *** for it, also for a password inside an address. Value.Text and Decode
// into a string refuse it. Value.Reveal and Secret.Reveal give it, and
// RenderOptions.Reveal writes it; nothing else does. A password inside an address is
// hidden when it is shown, but the address is read by Text as it is.
//
// # Units
//
// Value.Duration takes the unit of a bare number from its caller; HOCON's own
// reading is milliseconds. Value.Bytes counts bytes, Value.Period days. Lines and
// columns count from one, columns in characters.
//
// # Errors
//
// ParseFile, Parse, FromEntries, Resolve and Decode return Errors, which is one *Error
// for each fault: "file:line:col: path: what was read and what would be right", and
// where the file was included. The reading methods of a Value return one *Error, and
// Strings may return Errors. A file that does not exist gives fs.ErrNotExist under
// errors.Is.
//
// # Goroutines
//
// A Document, a Config and a Value never change after they are made: any number
// of goroutines may use them. The functions given as options are called on the
// caller's goroutine; those of Secrets must bear being called from several.
//
// # Sources
//
// The rules come from HOCON.md, the specification in the lightbend/config
// repository, and from comparing results with lightbend/config 1.3.4 in the tests of
// this package: on its tables, on generated files of six sorts, and on values of
// every type in every spelling.
package hocon
