package plugin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// LaunchConfig says which program to start, and how.
type LaunchConfig struct {
	// Path is the program. Required.
	Path string
	Args []string
	// Checksum is the program's SHA-256 in hex; a program with another one is
	// not started. Empty means any.
	Checksum string
	// Env is the whole environment of the program, beside what the handshake
	// needs; nothing is inherited.
	Env []string
	// Stderr takes what the program writes to stderr. Nil discards it.
	Stderr io.Writer
	// Logger takes a line when the program starts and ends. Nil means none.
	Logger *slog.Logger
	// StartTimeout bounds the time until the handshake. Default one minute.
	StartTimeout time.Duration
}

// Launch starts a connector program as a subprocess and shakes hands with it,
// over mutual TLS with certificates made for this launch. The caller closes
// it. Errors are of class CONFIG and say what is wrong with the program.
func Launch(ctx context.Context, c LaunchConfig) (*Process, error) {
	if err := executable(c.Path); err != nil {
		return nil, err
	}
	secure, err := pinned(c)
	if err != nil {
		return nil, err
	}
	tail := &tail{next: c.Stderr}
	// Not CommandContext: the process outlives the call that starts it.
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env = append([]string{}, c.Env...)
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: handshake(), Plugins: goplugin.PluginSet{name: &grpcPlugin{}}, Cmd: cmd,
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, AutoMTLS: true, SkipHostEnv: true, SecureConfig: secure,
		Stderr: tail, SyncStdout: io.Discard, SyncStderr: io.Discard, Logger: hclog.NewNullLogger(), StartTimeout: c.StartTimeout,
	})
	stop := context.AfterFunc(ctx, client.Kill)
	service, err := dispense(client)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		client.Kill()
		return nil, explain(c.Path, err, tail.last())
	}
	if c.Logger != nil {
		c.Logger.Debug("connector started", "path", c.Path, "pid", cmd.Process.Pid)
	}
	return &Process{client: service, pid: cmd.Process.Pid, exited: client.Exited, close: func() error { client.Kill(); return nil }}, nil
}

func dispense(client *goplugin.Client) (pb.ConnectorServiceClient, error) {
	protocol, err := client.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(name)
	if err != nil {
		return nil, err
	}
	service, ok := raw.(pb.ConnectorServiceClient)
	if !ok {
		return nil, fmt.Errorf("dispensed a %T", raw)
	}
	return service, nil
}

func launchError(code, format string, args ...any) *connector.Error {
	return connector.Errorf(connector.ClassConfig, code, format, args...)
}

// executable says in words why a path cannot be started.
func executable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return launchError("CONNECTOR_NOT_FOUND", "there is no connector program %s: %w", path, err)
	case err != nil:
		return launchError("CONNECTOR_NOT_FOUND", "looking at the connector program %s: %w", path, err)
	case info.IsDir():
		return launchError("CONNECTOR_NOT_FOUND", "%s is a folder, not a connector program", path)
	case info.Mode()&0o111 == 0:
		return launchError("CONNECTOR_NOT_EXECUTABLE", "%s is not executable: %w", path, fs.ErrPermission)
	}
	return nil
}

func pinned(c LaunchConfig) (*goplugin.SecureConfig, error) {
	if c.Checksum == "" {
		return nil, nil
	}
	sum, err := hex.DecodeString(c.Checksum)
	if err != nil || len(sum) != sha256.Size {
		return nil, launchError("CHECKSUM", "%q is not a SHA-256 in hex", c.Checksum)
	}
	return &goplugin.SecureConfig{Checksum: sum, Hash: sha256.New()}, nil
}

// explain turns go-plugin's errors into what is wrong with the program.
func explain(path string, err error, last string) error {
	said := ""
	if last != "" {
		said = "; it said: " + last
	}
	text := err.Error()
	switch {
	case errors.Is(err, goplugin.ErrChecksumsDoNotMatch):
		return launchError("CHECKSUM", "%s is not the program that was installed: its checksum differs; it was not started", path)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return connector.Errorf(connector.ClassCancelled, "CANCELLED", "starting %s was cancelled: %w", path, err)
	case strings.Contains(text, "Unrecognized remote plugin message"):
		return launchError("NOT_A_CONNECTOR", "%s is not a connector: what it wrote first is not a handshake%s", path, said)
	case strings.Contains(text, "incompatible") || strings.Contains(text, "Incompatible"):
		return launchError("INCOMPATIBLE", "%s speaks another version of the contract than %d: %w", path, ProtocolVersion, err)
	case strings.Contains(text, "timeout while waiting"):
		return launchError("NOT_A_CONNECTOR", "%s did not shake hands in time%s", path, said)
	case strings.Contains(text, "exited before"):
		return launchError("CONNECTOR_EXITED", "%s ended before it shook hands%s", path, said)
	}
	return launchError("CONNECTOR_START", "starting %s: %w%s", path, err, said)
}
