package recording

import (
	"context"
	"io"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// Play has a session go through a recorded conversation: it is given the records
// that the connector was given then, its tickets and checkpoints are acknowledged
// at once, and budget is never short. It returns how what it says differs from
// what was recorded. Report, unless nil, is told what the connector reports. An
// error says that the session has not the capability; a conversation that fails
// does so in comparison with the recorded one.
func (c *Conversation) Play(ctx context.Context, session connector.Session, report func(connector.Report)) ([]string, error) {
	now := newTally()
	h := playedHost{report: report}
	if c.About.Direction == connector.DirectionOutbound {
		outbound, ok := session.(connector.Outbound)
		if !ok || c.Outbound == nil {
			return nil, cannot("an outbound")
		}
		stream := &playedOutbound{playedHost: h, tally: now, batches: c.Batches}
		now.end(outbound.SyncOutbound(connector.WithHost(ctx, stream), *c.Outbound, stream))
		return c.answered.differences(now, c.Live), nil
	}
	inbound, ok := session.(connector.Inbound)
	if !ok || c.Inbound == nil {
		return nil, cannot("an inbound")
	}
	stream := &playedInbound{playedHost: h, tally: now}
	now.end(inbound.SyncInbound(connector.WithHost(ctx, stream), *c.Inbound, stream))
	return c.answered.differences(now, c.Live), nil
}

func cannot(what string) error {
	return connector.Errorf(connector.ClassConfig, "NOT_PLAYABLE", "the recording holds %s conversation, which this connector cannot have or which was not begun", what)
}

// playedHost is a host that grants everything and never stops.
type playedHost struct{ report func(connector.Report) }

func (h playedHost) Report(_ context.Context, r connector.Report) {
	if h.report != nil {
		h.report(r)
	}
}

func (h playedHost) Grant(_ context.Context, r connector.GrantRequest) (connector.Grant, error) {
	return connector.Grant{Pool: r.Pool, Unlimited: true}, nil
}

func (h playedHost) Stop() <-chan connector.Stop { return nil }

type playedOutbound struct {
	playedHost
	*tally

	next    sync.Mutex
	batches []*connector.RecordBatch // not given yet
}

var _ connector.OutboundStream = (*playedOutbound)(nil)

func (p *playedOutbound) Next(ctx context.Context) (*connector.RecordBatch, error) {
	p.next.Lock()
	defer p.next.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if len(p.batches) == 0 {
		return nil, io.EOF
	}
	b := p.batches[0]
	p.batches = p.batches[1:]
	return b, nil
}

func (p *playedOutbound) Settle(_ context.Context, o connector.Outcomes) error {
	p.settle(o)
	return nil
}

func (p *playedOutbound) Ticket(_ context.Context, t connector.Ticket) error {
	p.ticket(t)
	return nil
}

type playedInbound struct {
	playedHost
	*tally
}

var _ connector.InboundStream = (*playedInbound)(nil)

func (p *playedInbound) Append(_ context.Context, b *connector.RecordBatch) error {
	p.rows(b)
	return nil
}

func (p *playedInbound) Delete(_ context.Context, t connector.Tombstones) error {
	p.gone(t)
	return nil
}

func (p *playedInbound) Checkpoint(_ context.Context, c connector.Checkpoint) error {
	p.checkpoint(c)
	return nil
}

func (p *playedInbound) Done(_ context.Context, d connector.StreamDone) error {
	p.done(d)
	return nil
}
