package plugin

import (
	"context"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// authorEnd is the part of the author's half that both directions share: it is
// the connector's Host. How a message is sent differs by direction.
type authorEnd struct {
	ctx    context.Context // of the call
	ledger bool            // the host answers grants

	sendUsage    func(*pb.Usage) error
	sendGrant    func(*pb.GrantRequest) error
	sendProgress func(*pb.Progress) error
	sendKeep     func(*pb.Keep) error

	stop     chan connector.Stop
	stopOnce sync.Once

	mu      sync.Mutex
	latest  connector.Progress
	nextID  int64
	waiting map[any]chan any // of grants by id, of acks by what is acknowledged
}

func newAuthorEnd(ctx context.Context, ledger bool) *authorEnd {
	return &authorEnd{
		ctx: ctx, ledger: ledger, stop: make(chan connector.Stop, 1), waiting: make(map[any]chan any),
		latest: connector.Progress{Activity: "starting"},
	}
}

// Stop delivers the host's request to stop.
func (a *authorEnd) Stop() <-chan connector.Stop { return a.stop }

func (a *authorEnd) stopped(s *pb.Stop) {
	a.stopOnce.Do(func() {
		stop, err := wire.StopFrom(s)
		if err != nil { // a stop is a stop
			stop = connector.Stop{Mode: connector.StopNow}
		}
		a.stop <- stop
		close(a.stop)
	})
}

// Report sends what the host should know. An error shows in the next call that
// matters.
func (a *authorEnd) Report(_ context.Context, r connector.Report) {
	if r.Progress != nil {
		a.mu.Lock()
		a.latest = *r.Progress
		a.mu.Unlock()
		if p, err := wire.Progress(*r.Progress); err == nil {
			_ = a.sendProgress(p)
		}
	}
	for _, u := range r.Usage {
		if m, err := wire.Usage(u); err == nil {
			_ = a.sendUsage(m)
		}
	}
	if r.Keep != nil {
		if m, err := wire.Keep(*r.Keep); err == nil {
			_ = a.sendKeep(m)
		}
	}
}

// Grant asks the host for budget.
func (a *authorEnd) Grant(ctx context.Context, r connector.GrantRequest) (connector.Grant, error) {
	if !a.ledger {
		return connector.Grant{Pool: r.Pool, Unlimited: true}, nil
	}
	a.mu.Lock()
	a.nextID++
	id := a.nextID
	a.mu.Unlock()
	m, err := wire.GrantRequest(id, r)
	if err != nil {
		return connector.Grant{}, err
	}
	answer, err := a.ask(ctx, id, func() error { return a.sendGrant(m) })
	if err != nil {
		return connector.Grant{}, err
	}
	_, grant, err := wire.GrantFrom(answer.(*pb.Grant))
	return grant, hostBroke("a grant", err)
}

// ask sends a question and waits for the answer that has the key.
func (a *authorEnd) ask(ctx context.Context, key any, send func() error) (any, error) {
	answer := make(chan any, 1)
	a.mu.Lock()
	a.waiting[key] = answer
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waiting, key)
		a.mu.Unlock()
	}()
	if err := send(); err != nil {
		return nil, err
	}
	select {
	case got := <-answer:
		return got, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-a.ctx.Done():
		return nil, hostLost(a.ctx)
	}
}

func (a *authorEnd) answered(key, answer any) {
	a.mu.Lock()
	waiting := a.waiting[key]
	delete(a.waiting, key)
	a.mu.Unlock()
	if waiting != nil {
		waiting <- answer // has room for the one answer
	}
}

func hostLost(ctx context.Context) *connector.Error {
	return connector.Errorf(connector.ClassCancelled, "HOST_GONE", "the host ended the sync: %w", context.Cause(ctx))
}

// beat repeats the latest progress until done is closed, so that the host
// knows a connector that waits from one that is dead.
func (a *authorEnd) beat(done <-chan struct{}) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.mu.Lock()
			latest := a.latest
			a.mu.Unlock()
			if p, err := wire.Progress(latest); err == nil {
				_ = a.sendProgress(p)
			}
		case <-done:
			return
		case <-a.ctx.Done():
			return
		}
	}
}
