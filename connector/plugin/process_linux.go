package plugin

import "syscall"

// processAttributes has the connector killed when the host is, whatever language
// it is written in. Its own process group keeps the terminal's Ctrl-C from it:
// the host decides when a sync stops, and how.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
