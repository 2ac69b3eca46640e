// Package cli is the command line of hotcold: one file a command.
//
// It is the only package that knows all the others. config knows files, the
// parts know their Options, and cli maps one to the other. Standard output is
// data, standard error is talk. Every error ends in one sentence, with the next
// step where there is one, and an exit code that docs/operations.md lists.
package cli
