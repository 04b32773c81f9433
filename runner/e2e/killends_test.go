package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ending ends a run that was started, and reports whether it met it.
type ending func(host int) (met bool)

// attempt runs the sync and ends it at a random moment; nil is not at all. It
// returns what the run said. What the environment has more is for the host.
func (s *siege) attempt(t *testing.T, end ending, more ...string) string {
	t.Helper()
	cmd, said := s.command("syncs", "run", "sync")
	cmd.Env = append(cmd.Env, more...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.runs++
	s.mu.Lock()
	s.pid = cmd.Process.Pid
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	var moment <-chan time.Time
	if end != nil {
		moment = time.After(time.Duration(s.random.Int64N(int64(s.takes))))
	}
	patience := time.After(5 * time.Minute)
	disturbed := len(more) > 0 || s.app.armed()
	select {
	case <-ended:
	case <-moment:
		disturbed = end(cmd.Process.Pid) || disturbed
		select {
		case <-ended:
		case <-patience:
			t.Fatalf("the run does not end after it was killed:\n%s", said)
		}
	case <-patience:
		t.Fatalf("the run does not end:\n%s", said)
	}
	if code := cmd.ProcessState.ExitCode(); !disturbed && code != 0 && code != 1 && code != 5 {
		t.Fatalf("an undisturbed run ended with exit code %d:\n%s", code, said)
	}
	s.reboot(t)
	return said.String()
}

// interrupt is what Ctrl-C does.
func (s *siege) interrupt(host int) bool {
	met := syscall.Kill(host, syscall.SIGINT) == nil
	if met {
		s.stops++
	}
	return met
}

// atMoment kills a victim whenever it is asked to.
func (s *siege) atMoment(v victim) ending {
	return func(host int) bool {
		met := s.kill(host, v)
		if met {
			s.moments[v]++
		}
		return met
	}
}

// trapped runs the sync into a trap.
func (s *siege) trapped(t *testing.T, trap trap) {
	t.Helper()
	if trap.ofApp() {
		met := false
		s.app.set(trap, func() {
			s.mu.Lock()
			pid := s.pid
			s.mu.Unlock()
			met = s.kill(pid, trap.Victim)
		})
		s.attempt(t, nil)
		s.app.clear()
		if met {
			s.sprung = append(s.sprung, trap)
		}
		return
	}
	text, err := json.Marshal(trap)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.down = trap.Victim == machine // and if it is not sprung, no harm is done
	s.mu.Unlock()
	said := s.attempt(t, nil, trapVariable+"="+string(text))
	_, rest, sprung := strings.Cut(said, sprungText+" [")
	if !sprung {
		return
	}
	s.sprung = append(s.sprung, trap)
	pids, _, _ := strings.Cut(rest, "]")
	for pid := range strings.FieldsSeq(pids) {
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatalf("%s: %v", said, err)
		}
		s.orphans = append(s.orphans, n)
	}
}

// kill ends processes, and reports whether it met one.
func (s *siege) kill(pid int, v victim) bool {
	connectors := childrenOf(pid)
	met := false
	s.mu.Lock()
	defer s.mu.Unlock()
	if v != child {
		met = syscall.Kill(pid, syscall.SIGKILL) == nil
		s.orphans = append(s.orphans, connectors...)
	}
	if v != host {
		for _, pid := range connectors {
			met = syscall.Kill(pid, syscall.SIGKILL) == nil || met
		}
	}
	s.down = met && v == machine
	return met
}

// reboot starts a machine that crashed: what comes up are the files as they were
// on the disk, in other places than before, and nothing that was in memory.
func (s *siege) reboot(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	down := s.down
	s.down = false
	s.mu.Unlock()
	if !down {
		return
	}
	state := filepath.Join(s.dir, ".sluice")
	disk := state + ".disk"
	if err := os.Rename(state, disk); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(disk, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		to := state + strings.TrimPrefix(path, disk)
		switch {
		case d.IsDir():
			return os.Mkdir(to, info.Mode().Perm())
		case !info.Mode().IsRegular() || strings.HasSuffix(path, "-shm"): // memory that was shared
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, info.Mode().Perm())
	})
	if err := errors.Join(err, os.RemoveAll(disk)); err != nil {
		t.Fatal(err)
	}
}

// bury waits until no connector is alive whose host was killed: the source is to
// change, and a late hand must not write what was there before.
func (s *siege) bury(t *testing.T) {
	t.Helper()
	pulse := time.NewTicker(5 * time.Millisecond)
	defer pulse.Stop()
	patience := time.After(30 * time.Second)
	s.mu.Lock()
	orphans := s.orphans
	s.orphans = nil
	s.mu.Unlock()
	for _, pid := range orphans {
		for isConnector(pid) {
			select {
			case <-pulse.C:
			case <-patience:
				t.Fatalf("connector %d outlives its host", pid)
			}
		}
	}
}

// childrenOf returns the connectors a process has launched.
func childrenOf(host int) []int {
	var children []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if bytes.Contains(status, fmt.Appendf(nil, "\nPPid:\t%d\n", host)) && isConnector(pid) {
			children = append(children, pid)
		}
	}
	return children
}

func isConnector(pid int) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // empty for one that is dead and not yet waited for
	program, _, _ := strings.Cut(string(text), "\x00")
	return filepath.Base(program) == "sluice-connector-zoho"
}
