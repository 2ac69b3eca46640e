// Package testserver runs real servers for tests: PostgreSQL, MariaDB and MySQL with a
// replica, etcd, the OpenSSH server, the ActiveMQ Artemis broker, and a TCP relay that fails on demand. It
// also finds the reference implementation of HOCON, which is no server and is run by
// the tests of hocon.
//
// It does not install anything: scripts/test-deps.sh does. It does not imitate a
// server, and it is never linked into the program.
//
// # What a test may rely on
//
//   - A server that the machine does not have skips the test and says what is
//     missing. When HOTCOLD_CI or CI is set it fails the test instead, so that a
//     build cannot pass by leaving things out.
//   - Each server is the test's own: a free port on 127.0.0.1, a directory of its
//     own, no settings from the machine.
//   - Nothing is left behind. A keeper, a small shell process in a session of its
//     own, reads from a pipe that only the test binary holds. When the pipe ends
//     (the test is over, or the binary was killed with SIGKILL) the keeper kills every
//     process that lives in the server's directory, even a stopped one, and
//     removes the directory. A parent-death signal would not do: it cannot reach
//     the backends of PostgreSQL, which live in sessions of their own.
//
// PostgreSQL refuses to run as root, so under root it runs as the user postgres,
// or nobody. It listens on TCP only and asks for a password. fsync is on unless
// NoFsync is given. MariaDB runs as the user mysql, or nobody, and MySQL as the test's; both sync every commit
// and keep a binary log with GTIDs, so that any server may be made a primary.
//
// # Limits
//
// Every wait is an event with a limit: the server's ready line, the end of a
// process, the keeper's end. A limit that passes fails the test and prints the
// last lines of the server's log.
//
// The package needs Linux, because it finds processes through /proc. Elsewhere it
// compiles, and servers count as missing.
//
// # Goroutines
//
// A PostgresServer, a MySQLServer and an ArtemisInstance belong to one test
// goroutine at a time; SharedPostgres, SharedMariaDB, SharedMySQL, FreePort and all of TCPProxy may be called from any.
package testserver
