package plugin

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// counting counts the sessions that are open.
type counting struct {
	fake
	open, made atomic.Int64
	refuse     atomic.Bool
	// Where gate is set, opening connection 1 says that it began, and waits.
	began, gate chan struct{}
}

func (c *counting) Open(_ context.Context, connection connector.Connection) (connector.Session, error) {
	if c.gate != nil && connection.Secrets.Get("key") == "1" {
		c.began <- struct{}{}
		<-c.gate
	}
	if c.refuse.Load() {
		return nil, errors.New("not now")
	}
	c.open.Add(1)
	c.made.Add(1)
	return &countedSession{c: c}, nil
}

type countedSession struct {
	plainSession
	c *counting
}

func (s *countedSession) Close() error { s.c.open.Add(-1); return nil }

func wireConnection(n int) *pb.Connection {
	return &pb.Connection{Method: "key", Secrets: []*pb.Answer{{Field: "key", Values: []string{strconv.Itoa(n)}}}}
}

func use(t *testing.T, s *sessions, n int) (release func()) {
	t.Helper()
	_, release, err := s.acquire(t.Context(), wireConnection(n))
	if err != nil {
		t.Fatal(err)
	}
	return release
}

func TestAnIdleSessionIsClosedAfterAWhileAndABusyOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &counting{}
		s := newSessions(c)
		busy := use(t, s, 1)
		use(t, s, 2)()
		sleepUntilIdle()
		if got := c.open.Load(); got != 1 {
			t.Errorf("%d sessions are open, want the busy one", got)
		}
		busy()
		sleepUntilIdle()
		if got := c.open.Load(); got != 0 {
			t.Errorf("%d sessions are open, want none", got)
		}
	})
}

// sleepUntilIdle lets the time of a synctest bubble pass.
func sleepUntilIdle() {
	ctx, cancel := context.WithTimeout(context.Background(), idleSession+1)
	defer cancel()
	<-ctx.Done()
	synctest.Wait()
}

func TestMoreIdleSessionsThanAllowedAreClosedOldestFirst(t *testing.T) {
	c := &counting{}
	s := newSessions(c)
	for n := range 2 * maxIdle {
		use(t, s, n)()
	}
	if got := c.open.Load(); got != maxIdle {
		t.Errorf("%d sessions are open, want %d", got, maxIdle)
	}
	made := c.made.Load()
	use(t, s, 2*maxIdle-1)()
	if c.made.Load() != made {
		t.Error("the youngest session was closed")
	}
	if err := s.close(); err != nil || c.open.Load() != 0 {
		t.Errorf("after close %d sessions are open: %v", c.open.Load(), err)
	}
	if _, _, err := s.acquire(t.Context(), wireConnection(1)); connector.ClassOf(err) != connector.ClassTransient {
		t.Errorf("a closed store gave %v", err)
	}
}

func TestCallsAtTheSameTimeShareOneSession(t *testing.T) {
	c := &counting{began: make(chan struct{}, 20), gate: make(chan struct{})}
	s := newSessions(c)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			_, release, err := s.acquire(context.Background(), wireConnection(1))
			if err != nil {
				t.Error(err)
				return
			}
			release()
		})
	}
	close(c.gate)
	calls.Wait()
	if c.made.Load() != 1 {
		t.Errorf("%d sessions were opened", c.made.Load())
	}
}

func TestASlowOpenHoldsUpNobodyElse(t *testing.T) {
	c := &counting{began: make(chan struct{}), gate: make(chan struct{})}
	s := newSessions(c)
	var slow sync.WaitGroup
	slow.Go(func() {
		if _, release, err := s.acquire(context.Background(), wireConnection(1)); err != nil {
			t.Error(err)
		} else {
			release()
		}
	})
	<-c.began
	use(t, s, 2)() // another connection
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.acquire(ctx, wireConnection(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call that waits for a session got %v", err)
	}
	close(c.gate)
	slow.Wait()
}

func TestAFailedOpenIsTriedAgain(t *testing.T) {
	c := &counting{}
	c.refuse.Store(true)
	s := newSessions(c)
	if _, _, err := s.acquire(t.Context(), wireConnection(1)); err == nil {
		t.Fatal("a refused session was given")
	}
	c.refuse.Store(false)
	use(t, s, 1)()
}
