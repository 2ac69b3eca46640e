//go:build !linux

package testserver

import "errors"

// supported says whether processes can be found and watched here.
const supported = false

var errNotLinux = errors.New("servers for tests need Linux")

func freeze(string) ([]int, error) { return nil, errNotLinux }
func thaw(string) error            { return errNotLinux }
func killAll(string) error         { return errNotLinux }
