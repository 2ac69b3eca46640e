// Package markdown finds the fenced blocks of a page of the manual, for the tests that run them.
package markdown
