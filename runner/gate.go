package runner

import (
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// gate is what every call of a connector passes on its way in. It knows when
// the connector was last heard of, and keeps calls out once the conversation is
// over, so that a straggler cannot touch a run that has moved on.
type gate struct {
	mu     sync.Mutex
	inside int
	closed bool
	idle   *sync.Cond
	heard  time.Time
}

func newGate(now time.Time) *gate {
	g := &gate{heard: now}
	g.idle = sync.NewCond(&g.mu)
	return g
}

// enter lets a call in; the caller leaves when it is done.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return connector.Errorf(connector.ClassCancelled, "CONVERSATION_OVER", "the conversation with the host is over")
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	g.heard = time.Now()
	if g.inside == 0 {
		g.idle.Broadcast()
	}
}

// silent returns for how long nothing was heard; 0 while a call is inside,
// since then it is the host that takes its time.
func (g *gate) silent() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside > 0 {
		return 0
	}
	return time.Since(g.heard)
}

// close keeps further calls out and waits for those inside.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for g.inside > 0 {
		g.idle.Wait()
	}
}
