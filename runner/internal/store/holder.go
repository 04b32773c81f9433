package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// LeaseTime is how long a process of another machine may be silent before its
// runs count as abandoned. Whoever runs a sync saves the run at least every
// third of it.
const LeaseTime = 5 * time.Minute

// holder is who holds a run: a store opened by a process.
type holder struct {
	// token names one opened store; empty means nobody.
	token string
	// host names the machine since its last start, and the process namespace
	// in which pid has a meaning.
	host string
	pid  int
	// started tells the process from a later one with the same pid.
	started string
	until   time.Time
}

func thisProcess(token string) (holder, error) {
	name, err := os.Hostname()
	if err != nil {
		return holder{}, fmt.Errorf("asking for this machine's name: %w", err)
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // Linux; elsewhere the name has to do
	space, _ := os.Readlink("/proc/self/ns/pid")
	pid := os.Getpid()
	return holder{
		token: token, host: fmt.Sprintf("%s %s %s", name, bytes.TrimSpace(boot), space),
		pid: pid, started: startOf(pid),
	}, nil
}

// alive reports whether h, read from the store, may still be at work, seen from
// the process self.
func (h holder) alive(self holder, now time.Time) bool {
	switch {
	case h.token == "":
		return false
	case h.host != self.host, h.pid == self.pid && h.started == self.started:
		// Another machine, or another store opened by this very process:
		// nothing can be asked, so the lease decides.
		return now.Before(h.until)
	default:
		return processExists(h.pid) && startOf(h.pid) == h.started
	}
}

// processExists asks with signal 0, which is delivered to nobody.
func processExists(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = process.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, os.ErrPermission)
}

// startOf returns when a process started, in the system's own words: field 22 of
// /proc/PID/stat (proc(5)), a zombie's start being none. It is empty where there
// is no /proc; then the pid alone decides.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is the program's name in brackets and may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || string(fields[0]) == "Z" {
		return ""
	}
	return string(fields[19])
}
