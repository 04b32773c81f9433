package plugin

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// hostEnv makes the test binary a host that launches itself as a connector.
const hostEnv = "SLUICE_TEST_HOST"

// programEnv names another program for that host to launch.
const programEnv = "SLUICE_TEST_PROGRAM"

// beHost launches a connector, says which process it is, and waits to be killed.
func beHost() int {
	path, err := os.Executable()
	if err != nil {
		return 1
	}
	if other := os.Getenv(programEnv); other != "" {
		path = other
	}
	p, err := Launch(context.Background(), LaunchConfig{Path: path})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(p.Pid())
	select {}
}

// script writes a shell script that stands for a program.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLaunchSaysWhatIsWrongWithTheProgram(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(binary, []byte("\x7fnothing"), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config LaunchConfig
		code   string
		says   []string
	}{
		"missing":        {LaunchConfig{Path: "/no/such/program"}, "CONNECTOR_NOT_FOUND", []string{"/no/such/program"}},
		"a folder":       {LaunchConfig{Path: t.TempDir()}, "CONNECTOR_NOT_FOUND", []string{"is a folder"}},
		"not executable": {LaunchConfig{Path: plain}, "CONNECTOR_NOT_EXECUTABLE", []string{"chmod +x"}},
		"no program":     {LaunchConfig{Path: binary}, "NOT_A_CONNECTOR", []string{"for this kind of machine"}},
		"no interpreter": {LaunchConfig{Path: script(t, "")}, "CONNECTOR_EXITED", []string{"exit code 0"}},
		"changed":        {LaunchConfig{Path: self, Checksum: strings.Repeat("ab", 32)}, "CHECKSUM_MISMATCH", []string{"instead of abab", "not started"}},
		"no checksum":    {LaunchConfig{Path: self, Checksum: "abc"}, "CHECKSUM_MISMATCH", []string{"not a SHA-256"}},
		"another tool":   {LaunchConfig{Path: script(t, "echo hello there; sleep 5")}, "NOT_A_CONNECTOR", []string{`wrote "hello there"`}},
		"crash":          {LaunchConfig{Path: script(t, "echo one >&2; echo two >&2; exit 7")}, "CONNECTOR_EXITED", []string{"exit code 7", "it said: one | two"}},
		"other version":  {LaunchConfig{Path: script(t, "echo '1|99|unix|/tmp/none|grpc|'; sleep 5")}, "VERSION_MISMATCH", []string{"another version", "99"}},
		"silence":        {LaunchConfig{Path: script(t, "echo waiting >&2; exec sleep 60"), StartTimeout: 300 * time.Millisecond}, "START_TIMEOUT", []string{"in time", "waiting"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Launch(t.Context(), c.config)
			e := wantError(t, err, connector.ClassConfig, c.code)
			for _, text := range c.says {
				if !strings.Contains(e.Message, text) {
					t.Errorf("the error does not say %q: %v", text, e)
				}
			}
		})
	}
}

func TestLaunchCanBeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	said := writer(func(line string) { cancel() })
	_, err := Launch(ctx, LaunchConfig{Path: script(t, "echo up >&2; exec sleep 60"), Stderr: said})
	wantError(t, err, connector.ClassCancelled, "CANCELLED")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error is not a context.Canceled: %v", err)
	}
}

// writer is a function as an io.Writer.
type writer func(string)

func (w writer) Write(p []byte) (int, error) { w(string(p)); return len(p), nil }

func TestTheConnectorInheritsNothing(t *testing.T) {
	t.Setenv("SLUICE_KEY", "host-secret")
	var out bytes.Buffer
	_, err := Launch(t.Context(), LaunchConfig{Path: script(t, "env >&2; read -r line && echo read >&2; exit 1"), Env: []string{"OWN=1"}, Stderr: &out})
	wantError(t, err, connector.ClassConfig, "CONNECTOR_EXITED")
	if text := out.String(); strings.Contains(text, "host-secret") || !strings.Contains(text, "OWN=1") || strings.Contains(text, "read\n") {
		t.Errorf("the connector's environment or stdin is the host's: %s", text)
	}
}

func TestLogsArriveWithTheirLevel(t *testing.T) {
	var lines bytes.Buffer
	author := slog.New(logHandler(&lines)).With("left", 3)
	author.Debug("small talk")
	author.Warn("close to the limit")
	author.Error("over", "time", 7, "level", "low")
	file := filepath.Join(t.TempDir(), "lines")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var out bytes.Buffer
	said := writer(func(s string) { mu.Lock(); defer mu.Unlock(); out.WriteString(s) })
	log := slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelInfo}))
	_, err := Launch(t.Context(), LaunchConfig{Path: script(t, "cat "+file+" >&2; exit 1"), Logger: log})
	wantError(t, err, connector.ClassConfig, "CONNECTOR_EXITED")
	mu.Lock()
	defer mu.Unlock()
	text := out.String()
	for _, want := range []string{`level=WARN msg="close to the limit"`, "level=ERROR msg=over", "left=3", "connector=program"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q: %s", want, text)
		}
	}
	if strings.Contains(text, "small talk") || strings.Count(text, "\n") != 2 {
		t.Errorf("the log holds more than was asked for: %s", text)
	}
}

func TestCloseEndsTheProcess(t *testing.T) {
	p := launched(t)
	if !alive(p.Pid()) || p.Exited() {
		t.Fatal("the connector does not run")
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Fatal(err)
	}
	if !p.Exited() || alive(p.Pid()) {
		t.Error("the connector runs on after Close")
	}
	_, err := open(t, p, "").Limits(t.Context())
	if connector.ClassOf(err) == "" {
		t.Error("a closed connector answers")
	}
}

func TestAKilledHostTakesItsConnectorAlong(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host := exec.CommandContext(t.Context(), self)
	host.Env = append(os.Environ(), hostEnv+"=1")
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()
	pid, err := strconv.Atoi(lines.Text())
	if err != nil || !alive(pid) {
		t.Fatalf("the host did not launch a connector: %q", lines.Text())
	}
	_ = host.Process.Kill()
	_ = host.Wait() // it was killed
	until(t, 2*time.Second, "the connector outlives its host", func() bool { return !alive(pid) })
}

// alive reports whether a process runs. One that ended and was not waited for
// does not.
func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}

// until polls a condition.
func until(t *testing.T, patience time.Duration, problem string, condition func() bool) {
	t.Helper()
	late := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-late:
			t.Fatal(problem)
		}
	}
}
