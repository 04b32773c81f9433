//go:build !linux

package plugin

import (
	"os"
	"syscall"
)

// processAttributes has nothing to ask for: a connector watches its parent.
func processAttributes() *syscall.SysProcAttr { return nil }

// killGroup has nothing to do: a connector has no group of its own.
func killGroup(int) {}

// descriptorPath is "": there is no path that leads to an open file.
func descriptorPath(*os.File) string { return "" }

// nameProcess has nothing to do: a process is named after its program.
func nameProcess() {}
