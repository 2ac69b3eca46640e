package testserver

import "testing"

// HOCONVersion is the release of lightbend/config that the tests of hocon compare
// with: the one that a Corda node has. scripts/test-deps.sh fetches it.
const HOCONVersion = "1.3.4"

// HOCONReference finds a Java that can run source files and the library
// lightbend/config in the cache. Where either is missing it skips the test, and
// fails it in the build.
func HOCONReference(t testing.TB) (java, jar string) {
	t.Helper()
	java, jar, err := findJava("config-" + HOCONVersion + ".jar")
	if err != nil {
		missing(t, err)
	}
	return java, jar
}
