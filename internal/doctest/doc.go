// Package doctest holds the manual to the program: what the README, ARCHITECTURE.md and the pages in docs/ say is run,
// loaded or looked up in its tests. It has no code of its own and is never linked into the program.
//
// A fenced block says by its info string what is done with it:
//
//	text           nothing: a drawing, a formula
//	sh             each hotcold command and flag, make target and file of ours in it has to exist
//	xml            it has to be well-formed
//	hocon node     the node.conf of its page, for the blocks that include it
//	hocon conf     internal/config loads it without a fault or a warning; the word "pair" behind it makes it the
//	               configuration of the page's pair
//	hocon warned   internal/config loads it and warns of it
//	hocon file X   the file X of its page, for "console files"
//	console files  each command is run in a folder with the page's files, and what it prints is compared
//	console pair   each command is run against a real pair of agents with a real PostgreSQL, and what it prints is
//	               compared, with placeholders for times, process numbers, names of machines and addresses
//
// A block of any other kind fails. Outside of blocks, the tests look up links, commands and flags, settings, files,
// names of tests, exit codes, states, log messages, metrics, paths of the listener, and the worked
// examples of the inequality.
//
// What was measured when a page was written (an age, the time that nobody was ready) is a placeholder; what is computed
// (the bound of a takeover, the inequality) is compared.
package doctest
