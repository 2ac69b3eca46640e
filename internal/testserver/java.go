package testserver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// JDBCDrivers are the drivers of databases whose reading of addresses the tests of config compare with, and the files
// that scripts/test-deps.sh fetches for them. MariaDB's is there twice: its third major release reads addresses in
// another way than the second, which many nodes still have.
func JDBCDrivers() map[string]string {
	return map[string]string{
		"postgresql": "postgresql-42.7.4.jar",
		"mariadb2":   "mariadb-java-client-2.7.12.jar",
		"mariadb3":   "mariadb-java-client-3.5.1.jar",
		"mysql":      "mysql-connector-j-9.1.0.jar",
		"sqlserver":  "mssql-jdbc-12.8.1.jre11.jar",
		"oracle":     "ojdbc11-23.6.0.24.10.jar",
	}
}

// JDBCDriver finds a Java that can run source files and one of JDBCDrivers in the cache. Where either is missing it
// skips the test, and fails it in the build.
func JDBCDriver(t testing.TB, name string) (java, jar string) {
	t.Helper()
	java, jar, err := findJava(JDBCDrivers()[name])
	if err != nil {
		missing(t, err)
	}
	return java, jar
}

// findJava finds Java, and a file of the cache for its class path.
func findJava(file string) (java, jar string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", errors.New("no java in PATH: asking a library of Java needs Java 17")
	}
	if _, err = exec.LookPath("javac"); err != nil {
		return "", "", errors.New("no javac in PATH: a library of Java is asked by a source file, which needs a JDK")
	}
	cache, err := cacheDir()
	if err != nil {
		return "", "", err
	}
	jar = filepath.Join(cache, file)
	if _, err := os.Stat(jar); err != nil {
		return "", "", fmt.Errorf("a library of Java is not in the cache: %w", err)
	}
	return java, jar, nil
}

// Keytool returns Java's program for key stores. It skips the test where there is none, and fails it in the build.
func Keytool(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("keytool")
	if err != nil {
		missing(t, errors.New("there is no keytool in PATH, which comes with Java"))
	}
	return program
}
