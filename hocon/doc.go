// Package hocon reads HOCON, the configuration language of lightbend/config,
// and knows for every value where it was written.
//
// Reading has two steps. ParseFile or Parse turn a file, with what it includes,
// into a Document. Resolve lays Documents over each other, the one of the
// highest priority first, and resolves the substitutions of all of them at once
// into a Config:
//
//	doc, err := hocon.ParseFile("node.conf")
//	cfg, err := hocon.Resolve(hocon.Layers{doc, defaults}, hocon.Env(os.LookupEnv))
//	port, err := cfg.At("rpcSettings.port").Int()
//
// # What it does not do
//
// It opens no URL and no Java class path: include url(...) and classpath(...)
// are refused. It reads no environment but through Env, and no Java system
// properties: those are a layer that the caller makes. It decodes into no structs,
// hides no secrets, and never logs.
//
// # What it guarantees
//
//   - It behaves as lightbend/config 1.3.4 does, which is what a Corda node
//     reads its configuration with, where that does not depend on the order of a
//     Java hash map. What the reference answers differently from run to run or key
//     to key, circles of optional substitutions above all, has one answer here.
//   - Keys keep the order of their first appearance, numbers their text. The same
//     input gives the same result and the same faults in the same order.
//   - It does not panic, and Limits bound its time and memory, whatever the input.
//   - As many faults as possible are told in one run, up to 25.
//
// It departs from the reference on purpose in these points: an included file that
// exists but cannot be read is a fault, not missing; a number with a fraction is
// not cut to a whole one; a duration that does not fit is a fault; the byte order
// mark at the beginning of a .properties file is not part of the first key.
//
// # Units
//
// Value.Duration takes the unit of a bare number from its caller; HOCON's own
// reading is milliseconds. Value.Bytes counts bytes. Lines and columns count from
// one, columns in characters.
//
// # Errors
//
// ParseFile, Parse and Resolve return Errors, which is one *Error for each fault:
// "file:line:col: path: what was read and what would be right", and where the file
// was included. The reading methods of a Value return one *Error, and Strings may
// return Errors. A file that does not exist gives fs.ErrNotExist under errors.Is.
//
// # Goroutines
//
// A Document, a Config and a Value never change after they are made: any number
// of goroutines may use them. The functions given as options are called on the
// caller's goroutine.
//
// # Sources
//
// The rules come from HOCON.md, the specification in the lightbend/config
// repository, and from comparing results with lightbend/config 1.3.4 on tens of
// thousands of generated files (November 2026).
package hocon
