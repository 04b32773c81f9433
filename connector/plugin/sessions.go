package plugin

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Sessions nobody uses are closed after idleSession, and sooner when there are
// more than maxIdle: a form being filled in makes one for every answer.
const (
	maxIdle     = 8
	idleSession = 10 * time.Minute
)

// sessionKey names a session: the hash of its connection, secrets and limits
// included, so that a changed secret is another session.
type sessionKey [sha256.Size]byte

// sessions keeps sessions open between calls, so that tokens and network
// connections outlive a call.
type sessions struct {
	connector connector.Connector
	// base is what sessions are opened with: it outlives every call, since a
	// session may keep it to refresh tokens with.
	base context.Context
	end  context.CancelFunc
	// opening is told of a connection before a session is opened.
	opening func(connector.Connection)

	mu      sync.Mutex
	entries map[sessionKey]*sessionEntry
	closed  bool
}

type sessionEntry struct {
	ready   chan struct{} // closed when session or err is set
	session connector.Session
	err     error

	users int
	since time.Time   // of idleness
	timer *time.Timer // closes the idle session
}

func newSessions(c connector.Connector) *sessions {
	base, end := context.WithCancel(context.Background())
	return &sessions{connector: c, base: base, end: end, entries: make(map[sessionKey]*sessionEntry), opening: func(connector.Connection) {}}
}

// acquire returns the session of a connection; release gives it back.
func (s *sessions) acquire(ctx context.Context, c *pb.Connection) (session connector.Session, release func(), err error) {
	connection, err := wire.ConnectionFrom(c)
	if err != nil {
		return nil, nil, hostBroke("the connection", err)
	}
	key, err := keyOf(c)
	if err != nil {
		return nil, nil, err
	}
	e, mine, err := s.entry(key)
	if err != nil {
		return nil, nil, err
	}
	if mine {
		s.open(key, e, connection)
	}
	select {
	case <-e.ready:
	case <-ctx.Done():
		s.release(key, e)
		return nil, nil, context.Cause(ctx)
	}
	if e.err != nil {
		return nil, nil, e.err
	}
	return e.session, func() { s.release(key, e) }, nil
}

func keyOf(c *pb.Connection) (sessionKey, error) {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return sessionKey{}, connector.Errorf(connector.ClassInternal, "SESSION", "naming a session: %w", err)
	}
	return sha256.Sum256(text), nil
}

// entry finds or makes an entry; mine tells that the caller has to open it.
func (s *sessions) entry(key sessionKey) (e *sessionEntry, mine bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, connector.Errorf(connector.ClassTransient, "SHUTTING_DOWN", "the connector is shutting down")
	}
	e, found := s.entries[key]
	if !found {
		e = &sessionEntry{ready: make(chan struct{})}
		s.entries[key] = e
	}
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	e.users++
	return e, !found, nil
}

func (s *sessions) open(key sessionKey, e *sessionEntry, connection connector.Connection) {
	defer close(e.ready)
	defer func() {
		if e.err == nil && e.session == nil {
			e.err = connector.Errorf(connector.ClassInternal, "NO_SESSION", "the connector opened no session and gave no reason")
		}
		if e.err != nil {
			s.mu.Lock()
			delete(s.entries, key)
			s.mu.Unlock()
		}
	}()
	defer recovered(&e.err)
	s.opening(connection)
	e.session, e.err = s.connector.Open(s.base, connection)
}

func (s *sessions) release(key sessionKey, e *sessionEntry) {
	s.mu.Lock()
	e.users--
	if e.users > 0 || s.entries[key] != e {
		s.mu.Unlock()
		return
	}
	if s.closed {
		delete(s.entries, key)
		s.mu.Unlock()
		logClosing(closeAll([]*sessionEntry{e}))
		return
	}
	e.since = time.Now()
	e.timer = time.AfterFunc(idleSession, func() { s.expire(key, e) })
	surplus := s.surplus()
	s.mu.Unlock()
	logClosing(closeAll(surplus))
}

// expire closes a session that is still idle.
func (s *sessions) expire(key sessionKey, e *sessionEntry) {
	s.mu.Lock()
	idle := e.users == 0 && s.entries[key] == e
	if idle {
		delete(s.entries, key)
	}
	s.mu.Unlock()
	if idle {
		logClosing(closeAll([]*sessionEntry{e}))
	}
}

// surplus takes out the longest idle sessions beyond maxIdle.
func (s *sessions) surplus() (out []*sessionEntry) {
	for {
		idle := 0
		var oldest sessionKey
		for key, e := range s.entries {
			if e.users > 0 {
				continue
			}
			if idle == 0 || e.since.Before(s.entries[oldest].since) {
				oldest = key
			}
			idle++
		}
		if idle <= maxIdle {
			return out
		}
		e := s.entries[oldest]
		e.timer.Stop()
		out = append(out, e)
		delete(s.entries, oldest)
	}
}

// close closes all sessions; one that a call still uses, when that has ended.
func (s *sessions) close() error {
	s.mu.Lock()
	s.closed = true
	var all []*sessionEntry
	for key, e := range s.entries {
		if e.users > 0 {
			continue
		}
		if e.timer != nil {
			e.timer.Stop()
		}
		all = append(all, e)
		delete(s.entries, key)
	}
	s.mu.Unlock()
	s.end()
	return closeAll(all)
}

// logClosing logs what no call is left to be told.
func logClosing(err error) {
	if err != nil {
		slog.Warn("closing an idle session", "error", err)
	}
}

func closeAll(entries []*sessionEntry) error {
	var errs []error
	for _, e := range entries {
		<-e.ready
		if e.session != nil {
			errs = append(errs, e.session.Close())
		}
	}
	return errors.Join(errs...)
}
