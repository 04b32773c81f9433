package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluiceio/sluice/runner"
)

// Env is everything the commands take from the process they run in.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Environ has the form of os.Environ.
	Environ []string
	// WorkDir is the absolute path relative paths start from.
	WorkDir string
	// Executable is the path of the sluice program: connectors are looked for
	// beside it. May be empty.
	Executable string
	// Now tells the time. Required.
	Now func() time.Time
	// Interrupts delivers Ctrl-C. The first one stops a run gracefully, the
	// second one ends the command at once. Nil for never.
	Interrupts <-chan os.Signal
	// StdinTerminal and StderrTerminal say that a person sits there: missing
	// answers are asked for, progress is drawn.
	StdinTerminal, StderrTerminal bool
	// ReadSecret reads a line without showing it; nil reads from Stdin.
	ReadSecret func() (string, error)
	// Store and Warehouse are put around the control store and the warehouse
	// that a command works with; nil for nothing. They let tests end a process
	// before or after a write of their choice.
	Store     func(runner.Store) runner.Store
	Warehouse func(runner.Warehouse) runner.Warehouse
}

// lookup returns an environment variable.
func (e Env) lookup(name string) (string, bool) {
	for i := len(e.Environ) - 1; i >= 0; i-- {
		if key, value, ok := strings.Cut(e.Environ[i], "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}

// path makes a path absolute, seen from the working directory.
func (e Env) path(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(e.WorkDir, path)
}
