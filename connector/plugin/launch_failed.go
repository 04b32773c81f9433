package plugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/sluiceio/sluice/connector"
)

// launchFailed is what is known of a launch that went wrong.
type launchFailed struct {
	config LaunchConfig
	child  *child
	said   string // the last lines on stderr
}

// explain says what is wrong with the program, in place of go-plugin.
func (l launchFailed) explain(err error) error {
	path, text, hello := l.config.Path, err.Error(), l.child.firstLine()
	var own *connector.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, fs.ErrNotExist):
		return launchError("CONNECTOR_START", "the program that is to interpret %s does not exist: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return launchError("CONNECTOR_NOT_EXECUTABLE", "%s cannot be executed: %w", path, err)
	case errors.Is(err, syscall.ENOEXEC):
		return launchError("NOT_A_CONNECTOR", "%s is not a program for this kind of machine: %w", path, err)
	case strings.Contains(text, "API version"):
		return launchError("VERSION_MISMATCH", "the connector %s speaks another version of the contract than %d, which this host speaks; update whichever is older: %w",
			path, ProtocolVersion, shortened{err})
	case strings.Contains(text, "timeout while waiting"):
		return launchError("START_TIMEOUT", "the connector %s did not answer in time%s", path, l.words())
	case hello != "":
		return launchError("NOT_A_CONNECTOR", "%s is not a connector: it wrote %q where a handshake was due%s", path, cap200(hello), l.words())
	}
	if code, known := l.child.exitCode(); known {
		return launchError("CONNECTOR_EXITED", "the connector %s ended with exit code %d before it answered%s", path, code, l.words())
	}
	return launchError("CONNECTOR_START", "starting the connector %s: %w%s", path, err, l.words())
}

// words are the last lines on stderr, as the end of a sentence.
func (l launchFailed) words() string {
	if l.said == "" {
		return ""
	}
	return "; it said: " + l.said
}

func cap200(text string) string {
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

// shortened is an error of several lines of which the first is told.
type shortened struct{ error }

// Error returns the first line.
func (s shortened) Error() string {
	line, _, _ := strings.Cut(s.error.Error(), "\n")
	return line
}

// Unwrap returns the error.
func (s shortened) Unwrap() error { return s.error }

// Diagnose has nothing to add to what explain says.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost returns the address as it is: both see the same.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin returns the address as it is: both see the same.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// String names the child in messages.
func (c *child) String() string { return fmt.Sprintf("process %d", c.pid()) }
