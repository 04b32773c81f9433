package plugin

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// processAttributes has the connector killed when the host is, whatever language
// it is written in. Its own process group keeps the terminal's Ctrl-C from it:
// the host decides when a sync stops, and how.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// killGroup ends what a connector has started and left behind: all processes of
// its group.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // as a rule there is none

// descriptorPath is a path that leads to an open file itself, seen from any
// process of this user.
func descriptorPath(file *os.File) string {
	return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd())
}

// nameProcess gives this process the name of its program, which top and ps show:
// the kernel takes it from the path that was executed, and that may have been a
// descriptor's.
func nameProcess() {
	if err := os.WriteFile("/proc/self/comm", []byte(filepath.Base(os.Args[0])), 0o644); err != nil {
		slog.Debug("naming the process", "error", err)
	}
}
