package runner

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
)

// handle is a launched connector with a session for one connection.
type handle struct {
	running RunningConnector
	session connector.Session
}

// close ends the session and the process.
func (h *handle) close() error {
	if h.session != nil {
		_ = h.session.Close() // the process ends next; its own last word counts for nothing
	}
	if err := h.running.Close(); err != nil {
		return fmt.Errorf("ending the connector: %w", err)
	}
	return nil
}

// launch starts the installed connector with the given id.
func (e *Engine) launch(ctx context.Context, connectorID string) (RunningConnector, error) {
	ref, err := e.store.Connector(ctx, connectorID)
	if err != nil {
		return nil, fmt.Errorf("connector %s: %w", connectorID, err)
	}
	running, err := e.launcher.Launch(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("launching connector %s: %w", connectorID, err)
	}
	return running, nil
}

// launching is a connector being started while something else is prepared.
type launching struct {
	cancel  context.CancelFunc
	done    chan struct{} // closed when running and err are there
	running RunningConnector
	err     error
}

// launchAhead begins to start a connector, whose checksum alone may take as long as
// opening the warehouse. The caller waits for it or abandons it.
func (e *Engine) launchAhead(ctx context.Context, connectorID string) *launching {
	ctx, cancel := context.WithCancel(ctx)
	l := &launching{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.running, l.err = e.launch(ctx, connectorID)
	}()
	return l
}

// wait returns the connector once it has started. When the context ends first,
// starting it is cancelled.
func (l *launching) wait(ctx context.Context) (RunningConnector, error) {
	defer l.cancel()
	unhook := context.AfterFunc(ctx, l.cancel)
	defer unhook()
	<-l.done
	return l.running, l.err
}

// abandon ends the connector; it may be nil.
func (l *launching) abandon() {
	if l == nil {
		return
	}
	l.cancel()
	<-l.done
	if l.err == nil {
		_ = l.running.Close() // nobody has asked it anything
	}
}

// open launches the connection's connector and opens a session, with the limits
// in force.
func (e *Engine) open(ctx context.Context, connection Connection) (*handle, error) {
	return e.openWithin(ctx, connection, limitsFor(connection, Sync{}))
}

// openWithin does the same with the limits given.
func (e *Engine) openWithin(ctx context.Context, connection Connection, limits connector.Limits) (*handle, error) {
	running, err := e.launch(ctx, connection.Connector)
	if err != nil {
		return nil, err
	}
	return connect(ctx, running, connection, limits)
}

// connect opens a session of a connector that was launched, and ends it where that
// fails.
func connect(ctx context.Context, running RunningConnector, connection Connection, limits connector.Limits) (*handle, error) {
	session, err := running.Open(ctx, sessionConnection(connection, limits))
	if err != nil {
		err = fmt.Errorf("connection %s: %w", connection.Name, withLastWords(err, running))
		_ = running.Close() // the refusal is what the user needs
		return nil, err
	}
	return &handle{running: running, session: session}, nil
}

// withSession opens the named connection for one question.
func (e *Engine) withSession(ctx context.Context, name string, ask func(Connection, connector.Session) error) error {
	connection, err := e.store.Connection(ctx, name)
	if err != nil {
		return fmt.Errorf("connection %s: %w", name, err)
	}
	h, err := e.open(ctx, connection)
	if err != nil {
		return err
	}
	err = ask(connection, h.session)
	_ = h.close() // the question is answered
	return err
}

// sessionConnection is the connection as a session needs it: with secrets and
// the limits in force.
func sessionConnection(connection Connection, limits connector.Limits) connector.Connection {
	c := publicConnection(connection)
	c.Secrets, c.Limits = connection.Secrets, limits
	return c
}

// publicConnection is the connection without secrets.
func publicConnection(connection Connection) connector.Connection {
	return connector.Connection{
		ID: connection.Name, Method: connection.Method, Answers: connection.Answers,
		Parameters: connection.Parameters, Addresses: connection.Addresses,
	}
}

// withLastWords adds what the connector wrote on stderr to an error that says
// nothing by itself: one of class INTERNAL or TRANSIENT, as a died process leaves.
func withLastWords(err error, running RunningConnector) error {
	class := connector.ClassOf(err)
	words := running.LastWords()
	if words == "" || class != connector.ClassInternal && class != connector.ClassTransient {
		return err
	}
	return fmt.Errorf("%w; the connector's last words: %s", err, lastLine(words))
}
