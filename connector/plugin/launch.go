package plugin

import (
	"context"
	"io"
	"log/slog"
	"os/exec"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// LaunchConfig says which program to start, and how.
type LaunchConfig struct {
	// Path is the program. Required.
	Path string
	// Args are its arguments. A connector needs none.
	Args []string
	// Checksum is the SHA-256 of the program in hex. A program with another one
	// is not started, and on Linux what is started is the file that was read, not
	// what its path leads to a moment later (scripts excepted, which their
	// interpreters open). Empty allows any.
	Checksum string
	// Env is the environment of the program, in the form of os.Environ; nothing
	// is inherited beyond it.
	Env []string
	// RecordTo is a folder into which the connector is to record what it says to
	// its app, see package recording; empty for no recording.
	RecordTo string
	// Stderr takes all that the program writes to stderr, and to stdout after
	// the handshake. Nil discards it.
	Stderr io.Writer
	// Logger takes what the program logs, with its level. Nil discards it.
	Logger *slog.Logger
	// StartTimeout bounds the time until the handshake. Default one minute.
	StartTimeout time.Duration
}

// Launch starts a connector program as a subprocess and shakes hands with it,
// over a Unix socket with mutual TLS whose certificates are made for this launch.
// The caller closes it. The process also ends when the host does, however that
// happens.
//
// Errors are of class CONFIG and say what is wrong with the program, except when
// ctx ends, which is CANCELLED. Their codes: CONNECTOR_NOT_FOUND,
// CONNECTOR_NOT_EXECUTABLE, CHECKSUM_MISMATCH, NOT_A_CONNECTOR,
// CONNECTOR_EXITED, START_TIMEOUT, VERSION_MISMATCH, CONNECTOR_START.
func Launch(ctx context.Context, config LaunchConfig) (*Process, error) {
	checked, err := openProgram(config.Path, config.Checksum)
	if err != nil {
		return nil, err
	}
	defer checked.close()
	secure, certificate, err := hostTLS()
	if err != nil {
		return nil, launchError("CONNECTOR_START", "making a certificate for the connector %s: %w", config.Path, err)
	}
	config.Env = append(slices.Clone(config.Env), certificate)
	if config.RecordTo != "" {
		config.Env = append(config.Env, recordEnv+"="+config.RecordTo)
	}
	words := &lastLines{next: config.Stderr}
	child := newChild(config, checked)
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: handshake(), Plugins: goplugin.PluginSet{name: &grpcPlugin{}},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
			return child, child.prepare(spec.Env)
		},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, TLSConfig: secure, SkipHostEnv: true,
		Stderr: words, SyncStdout: words, SyncStderr: words, Logger: hostLogger(config), StartTimeout: config.StartTimeout,
	})
	unhook := context.AfterFunc(ctx, func() { _ = child.Kill(ctx) })
	rpc, err := dispense(client)
	if !unhook() && ctx.Err() != nil {
		client.Kill()
		return nil, connector.Errorf(connector.ClassCancelled, "CANCELLED", "starting the connector %s was cancelled: %w", config.Path, context.Cause(ctx))
	}
	if err != nil {
		client.Kill() // waits, so that all it said is there
		return nil, launchFailed{config: config, child: child, said: words.String()}.explain(err)
	}
	return &Process{client: rpc, pid: child.pid(), exited: child.exited, ended: func() string { return lastWords(child, words) }, close: func() error { return end(client, child) }}, nil
}

// endPatience is how long a connector may take to end when it is asked to; its
// calls were cancelled before.
const endPatience = 3 * time.Second

// end ends the process. go-plugin asks it to end and waits for the answer, which
// a process that is frozen never gives.
func end(client *goplugin.Client, child *child) error {
	kill := time.AfterFunc(endPatience, func() { _ = child.Kill(context.Background()) })
	defer kill.Stop()
	client.Kill()
	return nil
}

// exitPatience is how long a broken call waits to learn how the process ended.
const exitPatience = 2 * time.Second

// lastWords says how a process ended and what it said last, "" if it goes on.
func lastWords(c *child, words *lastLines) string {
	how := c.ending(exitPatience)
	if how == "" {
		return ""
	}
	if said := words.String(); said != "" {
		return how + "); the last it said: " + said
	}
	return how + ") and said nothing"
}

func dispense(c *goplugin.Client) (pb.ConnectorServiceClient, error) {
	protocol, err := c.Client()
	if err != nil {
		return nil, err
	}
	raw, err := protocol.Dispense(name)
	if err != nil {
		return nil, err
	}
	return raw.(pb.ConnectorServiceClient), nil // of grpcPlugin.GRPCClient
}

func launchError(code, format string, args ...any) *connector.Error {
	return connector.Errorf(connector.ClassConfig, code, format, args...)
}
