package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// connectorName is the program of the connector.
const connectorName = "sluice-connector-zoho"

// usage is what one run of sluice took.
type usage struct {
	wall          time.Duration
	cpu           time.Duration // of runner and connector
	runner, child int64         // peak memory in bytes
}

// pollEvery is how often memory is looked at. The kernel keeps the peak, so only
// a peak reached within the last moment of a process can be missed.
const pollEvery = 2 * time.Millisecond

// measure runs a command and watches it and its connector. It returns what the
// command wrote to its standard output.
func measure(ctx context.Context, cmd *exec.Cmd) ([]byte, usage, error) {
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, usage{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	w := watch{pid: cmd.Process.Pid}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.look()
			continue
		case err := <-ended:
			u := usage{wall: time.Since(start), runner: w.runner, child: w.connector}
			if err != nil {
				return out.Bytes(), u, errors.Join(ctx.Err(), fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args[:min(4, len(cmd.Args))], " "), err, bytes.TrimSpace(problems.Bytes())))
			}
			return out.Bytes(), u, u.finish(cmd.ProcessState)
		}
	}
}

// finish adds what the kernel says once a process has ended: the CPU time of it
// and of the children it waited for, and the larger of their peaks.
func (u *usage) finish(state *os.ProcessState) error {
	u.cpu = state.UserTime() + state.SystemTime()
	r, ok := state.SysUsage().(*syscall.Rusage)
	if !ok || u.runner == 0 || u.child == 0 {
		return fmt.Errorf("the memory of sluice and %s could not be read from /proc", connectorName)
	}
	larger := &u.runner
	if u.child > u.runner {
		larger = &u.child
	}
	*larger = max(*larger, int64(r.Maxrss)<<10)
	return nil
}

// watch remembers the peaks of a sluice process and of its connector.
type watch struct {
	pid               int
	runner, connector int64
	child             int // the connector's process id once it is known
	looks             int
}

// look reads the peaks as they are now.
func (w *watch) look() {
	name, peak := status(w.pid)
	if name == "sluice" {
		w.runner = max(w.runner, peak)
	}
	// The connector may be launched more than once; look for another now and then.
	if w.looks++; w.child == 0 || w.looks%50 == 0 {
		w.child = w.find()
	}
	if w.child == 0 {
		return
	}
	if name, peak = status(w.child); isConnector(name) {
		w.connector = max(w.connector, peak)
	}
}

// find looks for the connector among the children of all threads.
func (w *watch) find() int {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.pid))
	if err != nil {
		return 0
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			if err != nil {
				continue
			}
			if name, _ := status(pid); isConnector(name) {
				return pid
			}
		}
	}
	return 0
}

// isConnector compares with a name as the kernel keeps it, cut to 15 bytes.
func isConnector(name string) bool { return name == connectorName[:15] }

// status returns the name and the peak memory of a process in bytes; nothing
// when it has ended.
func status(pid int) (name string, peak int64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return "", 0
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		switch key {
		case "Name":
			name = strings.TrimSpace(value)
		case "VmHWM":
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				return name, 0
			}
			return name, kib << 10
		}
	}
	return name, 0
}

// processCPU is the CPU time of a process so far, 0 when it has ended. The kernel
// counts in hundredths of a second.
func processCPU(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name of the program may hold anything; what follows it is numbers.
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond
}
