package plugin

import (
	"context"
	"sync"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// authorEnd is the part of the author's half that both directions share: it is
// the connector's Host. How a message is sent differs by direction.
type authorEnd struct {
	ctx    context.Context // of the call
	ledger bool            // the host answers grants

	// work is what the connector does its work with: it also ends when the host
	// breaks the contract, since nobody would tell the connector otherwise.
	work     context.Context
	stopWork context.CancelCauseFunc
	deaf     chan struct{} // closed when nothing more is received
	deafness error         // why; nil when the host closed its side in order

	sendUsage    func(*pb.Usage) error
	sendGrant    func(*pb.GrantRequest) error
	sendProgress func(*pb.Progress) error
	sendKeep     func(*pb.Keep) error

	stop     chan connector.Stop
	stopOnce sync.Once

	reports *reporter

	asking sync.Mutex // keeps questions in the order of their messages

	mu      sync.Mutex
	nextID  int64
	waiting map[any][]chan any // of grants by id, of acks by what is acknowledged
}

func newAuthorEnd(ctx context.Context, ledger bool) *authorEnd {
	work, stopWork := context.WithCancelCause(ctx)
	return &authorEnd{
		ctx: ctx, ledger: ledger, stop: make(chan connector.Stop, 1), waiting: make(map[any][]chan any),
		reports: newReporter(), work: work, stopWork: stopWork, deaf: make(chan struct{}),
	}
}

// receive runs what does nothing but receive, so that acks, grants and stops
// never wait. It ends with the call, which ends right after the connector.
func (a *authorEnd) receive(all func() error) {
	a.deafness = all()
	close(a.deaf)
	if a.deafness != nil {
		a.stopWork(connector.Errorf(connector.ClassCancelled, "HOST_GONE", "the conversation with the host broke: %w", a.deafness))
	}
}

// broken returns the error that ended receiving, if any.
func (a *authorEnd) broken() error {
	select {
	case <-a.deaf:
		return a.deafness
	default:
		return nil
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

// Report takes in what the host should know; it is sent from another goroutine.
func (a *authorEnd) Report(_ context.Context, r connector.Report) { a.reports.add(r) }

// sendReports sends what was gathered.
func (a *authorEnd) sendReports(progress []connector.Progress, usage []connector.Usage, keep *connector.Keep) error {
	for _, p := range progress {
		m, err := wire.Progress(p)
		if err != nil {
			dropped("progress", err)
		} else if err := a.sendProgress(m); err != nil {
			return err
		}
	}
	for _, u := range usage {
		m, err := wire.Usage(u)
		if err != nil {
			dropped("usage", err)
		} else if err := a.sendUsage(m); err != nil {
			return err
		}
	}
	if keep == nil {
		return nil
	}
	m, err := wire.Keep(*keep)
	if err != nil {
		dropped("keep", err)
		return nil
	}
	return a.sendKeep(m)
}

// reporting runs the reporter during work, and until everything is sent.
func (a *authorEnd) reporting(work func() error) error {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { a.reports.run(done, a.sendReports) })
	defer running.Wait()
	defer close(done)
	return work()
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
		return connector.Grant{}, connectorBroke("a request for budget", err)
	}
	answer, err := a.ask(ctx, id, func() error { return a.sendGrant(m) })
	if err != nil {
		return connector.Grant{}, err
	}
	_, grant, err := wire.GrantFrom(answer.(*pb.Grant))
	return grant, hostBroke("a grant", err)
}

// ask sends a question and waits for the answer that has the key.
//
// The same question may be asked again (a ticket that is prepared anew), and
// answers come in the order of the questions. So one whose asker has gone keeps
// its place: else its answer would be taken for that of the next.
func (a *authorEnd) ask(ctx context.Context, key any, send func() error) (any, error) {
	defer a.reports.enter()()
	answer := make(chan any, 1)
	if err := a.pose(key, answer, send); err != nil {
		return nil, err
	}
	select {
	case got := <-answer:
		return got, nil
	case <-ctx.Done():
		return nil, connector.AsError(context.Cause(ctx))
	case <-a.ctx.Done():
		return nil, hostLost(a.ctx)
	case <-a.deaf:
	}
	select {
	case got := <-answer: // it came before the end
		return got, nil
	default:
	}
	if a.deafness != nil {
		return nil, a.deafness
	}
	return nil, hostBreach("the host closed its side of the conversation and left a ticket, a checkpoint or a request for budget without an answer")
}

func (a *authorEnd) pose(key any, answer chan any, send func() error) error {
	a.asking.Lock()
	defer a.asking.Unlock()
	a.mu.Lock()
	a.waiting[key] = append(a.waiting[key], answer)
	a.mu.Unlock()
	return send() // after an error the call is over, and no answer comes
}

func (a *authorEnd) answered(key, answer any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue := a.waiting[key]
	switch len(queue) {
	case 0: // nobody asked
		return
	case 1:
		delete(a.waiting, key)
	default:
		a.waiting[key] = queue[1:]
	}
	queue[0] <- answer // has room for the one answer
}

// unsent is the error of a message that was not sent.
func (a *authorEnd) unsent(err error) error {
	switch {
	case err == nil:
		return nil
	case a.ctx.Err() != nil:
		return hostLost(a.ctx)
	}
	return undelivered(err)
}

func hostLost(ctx context.Context) *connector.Error {
	return connector.Errorf(connector.ClassCancelled, "HOST_GONE", "the host ended the sync: %w", context.Cause(ctx))
}
