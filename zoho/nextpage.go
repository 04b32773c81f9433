package zoho

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// nextPage is the page after the one that was sent: its job is created, awaited and
// downloaded while the host makes the rows of the one before durable. Zoho and the
// warehouse take turns otherwise, each idle half of the time.
//
// Its job is not in the stream's state until the host has the page before. A process
// that is killed in between has paid for a job that no one looks for.
type nextPage struct {
	cancel context.CancelFunc
	// awaited is set when there is nothing else to do: waits are reported then.
	awaited atomic.Bool

	created chan struct{} // closed when id or createErr is set
	id      string
	failed  error

	done chan struct{} // closed at the end
	job  crm.BulkReadJob
	rows *crm.Rows
	err  error
}

// ahead begins with the page that the state names.
func (g *reading) ahead(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	n := &nextPage{cancel: cancel, created: make(chan struct{}), done: make(chan struct{})}
	g.next = n
	spec := g.spec()
	go func() {
		defer close(n.done)
		n.id, n.failed = g.session.client.CreateBulkRead(ctx, spec)
		close(n.created)
		if n.failed == nil {
			n.job, n.rows, n.err = g.fetch(ctx, n.id, func(until time.Time) {
				if n.awaited.Load() {
					g.polling(n.id, until)
				}
			})
		}
	}()
}

// create creates the page's job, or finds it created ahead.
func (g *reading) create(ctx context.Context) (string, error) {
	n := g.next
	if n == nil {
		return g.session.client.CreateBulkRead(ctx, g.spec())
	}
	n.awaited.Store(true)
	<-n.created
	if n.failed != nil {
		g.drop()
	}
	return n.id, n.failed
}

// result waits for the page's job and downloads what it read, or finds that done
// ahead.
func (g *reading) result(ctx context.Context, id string) (crm.BulkReadJob, *crm.Rows, error) {
	n := g.next
	if n == nil {
		return g.fetch(ctx, id, func(until time.Time) { g.polling(id, until) })
	}
	<-n.done
	n.cancel()
	g.next = nil // what became of it is the caller's now
	return n.job, n.rows, n.err
}

// fetch waits for a job and downloads its result.
func (g *reading) fetch(ctx context.Context, id string, say func(until time.Time)) (crm.BulkReadJob, *crm.Rows, error) {
	job, err := g.await(ctx, id, say)
	if err != nil {
		return job, nil, err
	}
	rows, err := g.session.client.OpenBulkRead(ctx, job)
	return job, rows, err
}

func (g *reading) polling(id string, until time.Time) {
	g.out.Progress("polling bulk read job "+id, connector.WaitingApp, until, g.done, 0)
}

// keepPatience bounds the wait for a job that is being created when the run is to end:
// one that waits for a limit is not sent any more.
const keepPatience = 5 * time.Second

// keep writes down a job that was created ahead and that this run will not come to, so
// that a later one does.
func (g *reading) keep(ctx context.Context) {
	late := time.NewTimer(keepPatience)
	defer late.Stop()
	select {
	case <-g.next.created:
	case <-late.C:
		return
	case <-ctx.Done():
		return
	}
	if g.next.failed == nil {
		g.state.Open.Job = g.next.id
		_ = g.checkpoint(ctx) // says again that the run is to end
	}
}

// drop forgets a page that was begun ahead.
func (g *reading) drop() {
	n := g.next
	if n == nil {
		return
	}
	g.next = nil
	n.cancel()
	<-n.done
	if n.rows != nil {
		_ = n.rows.Close()
	}
}
