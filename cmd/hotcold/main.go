// Command hotcold keeps a node of two alive: one always, never both.
package main

import (
	"os"

	"github.com/hotcold/hotcold/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args, cli.System())) }
