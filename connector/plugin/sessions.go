package plugin

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// maxIdle is the number of sessions kept open without a call.
const maxIdle = 8

// sessions keeps sessions open between calls, by connection, so that tokens
// and network connections are reused.
type sessions struct {
	connector connector.Connector

	mu   sync.Mutex
	open map[[sha256.Size]byte]*entry
}

type entry struct {
	session connector.Session
	users   int
	used    time.Time
}

// acquire returns the session of a connection. The function returned gives it
// back.
func (s *sessions) acquire(ctx context.Context, c *pb.Connection) (connector.Session, func(), error) {
	connection, err := wire.ConnectionFrom(c)
	if err != nil {
		return nil, nil, hostBroke("the connection", err)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return nil, nil, connector.Errorf(connector.ClassInternal, "SESSION", "naming a session: %w", err)
	}
	key := sha256.Sum256(bytes)

	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.open[key]
	if e == nil {
		session, err := s.connector.Open(ctx, connection)
		if err != nil {
			return nil, nil, err
		}
		e = &entry{session: session}
		s.open[key] = e
	}
	e.users++
	return e.session, func() { s.release(e) }, nil
}

func (s *sessions) release(e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.users--
	e.used = time.Now()
	s.evict()
}

// evict closes the longest idle sessions beyond maxIdle. The lock is held;
// closing does no network by contract.
func (s *sessions) evict() {
	for {
		idle, oldest := 0, [sha256.Size]byte{}
		for key, e := range s.open {
			if e.users > 0 {
				continue
			}
			if idle++; idle == 1 || e.used.Before(s.open[oldest].used) {
				oldest = key
			}
		}
		if idle <= maxIdle {
			return
		}
		_ = s.open[oldest].session.Close() // nobody is left to tell
		delete(s.open, oldest)
	}
}

// close closes all sessions.
func (s *sessions) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for key, e := range s.open {
		errs = append(errs, e.session.Close())
		delete(s.open, key)
	}
	return errors.Join(errs...)
}
