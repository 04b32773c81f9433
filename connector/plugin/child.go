package plugin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pipeGrace is how long the pipes of a killed process stay open for what it said
// last; a process it started may hold them for ever.
const pipeGrace = 500 * time.Millisecond

// child is the process of a connector, as go-plugin wants to run one. Unlike
// go-plugin's own it does not read the host's stdin, and remembers how the
// process began and ended.
type child struct {
	config  LaunchConfig
	program *program
	cmd     *exec.Cmd
	stdout  *firstLine
	stderr  io.ReadCloser

	done chan struct{} // closed when the process has ended

	mu      sync.Mutex
	started bool
	ended   bool
}

func newChild(config LaunchConfig, p *program) *child {
	return &child{config: config, program: p, cmd: exec.Command(config.Path, config.Args...), done: make(chan struct{})}
}

// prepare is called once before Start, with what go-plugin adds to the
// environment.
func (c *child) prepare(handshake []string) error {
	c.cmd.Env = append(append([]string{}, c.config.Env...), handshake...)
	stdout, err1 := c.cmd.StdoutPipe()
	stderr, err2 := c.cmd.StderrPipe()
	c.stdout, c.stderr = &firstLine{ReadCloser: stdout}, stderr
	return errors.Join(err1, err2)
}

// Start starts the process.
func (c *child) Start(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended { // cancelled before it began
		return context.Canceled
	}
	if err := c.startOnThread(); err != nil {
		return err
	}
	c.started = true
	return nil
}

// startOnThread starts the process from a thread that lives as long as the
// process does: on Linux a child that is to die with its parent dies with the
// thread that started it (prctl(2), PR_SET_PDEATHSIG), and threads of Go end when
// they please.
func (c *child) startOnThread() error {
	path, err := c.program.executable()
	if err != nil {
		return err
	}
	c.cmd.Path = path // its name, the first argument, stays that of the program
	c.cmd.SysProcAttr = processAttributes()
	started := make(chan error, 1)
	go func() { // ends with the process
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			<-c.done
		}
	}()
	return <-started
}

// Wait waits for the process to end. Its pipes are read to the end before.
func (c *child) Wait(context.Context) error {
	err := c.cmd.Wait()
	killGroup(c.cmd.Process.Pid)
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	close(c.done)
	return err
}

// ending says how the process ended, for instance "exit status 3" or "signal:
// killed". It waits a while for the end, since the connection of a dying process
// breaks a moment before the process is gone; "" means that it goes on.
func (c *child) ending(patience time.Duration) string {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.done:
		return c.cmd.ProcessState.String()
	case <-timer.C:
		return ""
	}
}

// Kill ends the process at once.
func (c *child) Kill(context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		c.ended = true
		return nil
	}
	time.AfterFunc(pipeGrace, func() {
		_ = c.stdout.Close() // closed already, as a rule
		_ = c.stderr.Close()
	})
	if !c.ended { // its number may be another's by now
		killGroup(c.cmd.Process.Pid)
	}
	if err := c.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stdout is what the process writes to stdout.
func (c *child) Stdout() io.ReadCloser { return c.stdout }

// Stderr is what the process writes to stderr.
func (c *child) Stderr() io.ReadCloser { return c.stderr }

// Name is the path of the program.
func (c *child) Name() string { return c.config.Path }

// ID is the process id.
func (c *child) ID() string { return strconv.Itoa(c.pid()) }

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return 0
	}
	return c.cmd.Process.Pid
}

func (c *child) exited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// exitCode returns how the process ended by itself.
func (c *child) exitCode() (code int, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started || !c.ended || c.cmd.ProcessState == nil {
		return 0, false
	}
	code = c.cmd.ProcessState.ExitCode()
	return code, code >= 0
}

// firstLine returns the first line on stdout, "" if there was none.
func (c *child) firstLine() string {
	if c.stdout == nil {
		return ""
	}
	return c.stdout.line()
}

// firstLine remembers the first line of what is read.
type firstLine struct {
	io.ReadCloser

	mu   sync.Mutex
	text []byte
}

// Read reads on.
func (f *firstLine) Read(p []byte) (int, error) {
	n, err := f.ReadCloser.Read(p)
	f.mu.Lock()
	if len(f.text) < bufio.MaxScanTokenSize {
		f.text = append(f.text, p[:n]...)
	}
	f.mu.Unlock()
	return n, err
}

func (f *firstLine) line() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, _, _ := strings.Cut(string(f.text), "\n")
	return strings.TrimSpace(line)
}
