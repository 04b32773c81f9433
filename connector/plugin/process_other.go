//go:build !linux

package plugin

import "syscall"

// processAttributes has nothing to ask for: a connector watches its parent.
func processAttributes() *syscall.SysProcAttr { return nil }
