package connector_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sluiceio/sluice/connector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deskHost is the part of a host that both directions share.
type deskHost struct {
	stop chan connector.Stop

	reportsMu sync.Mutex
	reports   []connector.Report
}

func newDeskHost() deskHost { return deskHost{stop: make(chan connector.Stop, 1)} }

func (h *deskHost) Report(_ context.Context, r connector.Report) {
	h.reportsMu.Lock()
	defer h.reportsMu.Unlock()
	h.reports = append(h.reports, r)
}

func (h *deskHost) Grant(context.Context, connector.GrantRequest) (connector.Grant, error) {
	return connector.Grant{Unlimited: true}, nil
}

func (h *deskHost) Stop() <-chan connector.Stop { return h.stop }

func (h *deskHost) ask(mode connector.StopMode, in time.Duration) {
	h.stop <- connector.Stop{Mode: mode, Deadline: time.Now().Add(in)}
	close(h.stop)
}

// activities are the words of all progress reports.
func (h *deskHost) activities() []string {
	h.reportsMu.Lock()
	defer h.reportsMu.Unlock()
	var words []string
	for _, r := range h.reports {
		if r.Progress != nil {
			words = append(words, r.Progress.Activity)
		}
	}
	return words
}

// outboundHost feeds batches and holds the connector to the laws of the contract.
type outboundHost struct {
	deskHost
	nextErr    error // instead of io.EOF
	settleErr  error
	ticketErr  func(connector.Ticket) error
	stayOpen   bool // after the last batch, Next waits for its context
	acks       func(connector.Ticket)
	afterFetch func(n int)

	mu       sync.Mutex
	batches  []*connector.RecordBatch
	fetched  int
	held     map[int64]bool
	most     int // records held at once
	outcomes map[int64]connector.RowOutcome
	appIDs   map[int64]string
	tickets  map[string]connector.Ticket
	owner    map[int64]string // the newest ticket of a record
	journal  []string
	broken   []string // laws broken
}

func newOutboundHost(batches ...*connector.RecordBatch) *outboundHost {
	return &outboundHost{
		deskHost: newDeskHost(), batches: batches, held: map[int64]bool{}, outcomes: map[int64]connector.RowOutcome{},
		appIDs: map[int64]string{}, tickets: map[string]connector.Ticket{}, owner: map[int64]string{},
	}
}

func (h *outboundHost) Next(ctx context.Context) (*connector.RecordBatch, error) {
	h.mu.Lock()
	if len(h.batches) > 0 {
		defer h.mu.Unlock()
		b := h.batches[0]
		h.batches = h.batches[1:]
		for _, s := range b.Seqs {
			h.held[s] = true
		}
		h.most = max(h.most, len(h.held))
		h.fetched++
		if h.afterFetch != nil {
			h.afterFetch(h.fetched)
		}
		return b, nil
	}
	h.mu.Unlock()
	if h.stayOpen {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	if h.nextErr != nil {
		return nil, h.nextErr
	}
	return nil, io.EOF
}

func (h *outboundHost) Settle(ctx context.Context, o connector.Outcomes) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.settleErr != nil {
		return h.settleErr
	}
	if o.AppIdentifiers != nil && len(o.AppIdentifiers) != len(o.Seqs) {
		h.blame("%d app identifiers for %d records", len(o.AppIdentifiers), len(o.Seqs))
	}
	at, last := map[int]connector.RowOutcome{}, -1
	for _, x := range o.Exceptions {
		if x.Row <= last || x.Row >= len(o.Seqs) {
			h.blame("exception for row %d of %d after row %d", x.Row, len(o.Seqs), last)
		}
		if x.Status != connector.StatusSucceeded && x.Error == nil {
			h.blame("%s without a reason", x.Status)
		}
		at[x.Row], last = x, x.Row
	}
	for row, seq := range o.Seqs {
		if !h.held[seq] {
			h.blame("record %d was settled, which is not held", seq)
		}
		delete(h.held, seq)
		out, ok := at[row]
		if !ok {
			out = connector.RowOutcome{Status: connector.StatusSucceeded}
		}
		h.outcomes[seq] = out
		if o.AppIdentifiers != nil {
			h.appIDs[seq] = o.AppIdentifiers[row]
		}
	}
	return nil
}

func (h *outboundHost) Ticket(ctx context.Context, t connector.Ticket) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ticketErr != nil {
		if err := h.ticketErr(t); err != nil {
			return err
		}
	}
	order := map[connector.TicketState]int{connector.TicketPrepared: 1, connector.TicketSubmitted: 2, connector.TicketDone: 3}
	known, ok := h.tickets[t.ID]
	switch {
	case t.ID == "" || order[t.State] == 0:
		h.blame("ticket %q in state %q", t.ID, t.State)
	case !ok && t.State != connector.TicketPrepared:
		h.blame("ticket %s began as %s", t.ID, t.State)
	case ok && (order[t.State] < order[known.State] || known.State == connector.TicketDone):
		h.blame("ticket %s went from %s to %s", t.ID, known.State, t.State)
	}
	if t.State == connector.TicketDone {
		for seq, id := range h.owner {
			if id == t.ID && h.held[seq] {
				h.blame("ticket %s is done, and record %d has no outcome", t.ID, seq)
			}
		}
	} else {
		for _, r := range t.Seqs {
			for seq := r.First; seq <= r.Last; seq++ {
				if !h.held[seq] {
					h.blame("ticket %s holds record %d, which is not held", t.ID, seq)
				}
				if !ok || known.State == t.State { // new, or shrunk: never takes what a newer one has
					if newer := h.tickets[h.owner[seq]]; !ok || newer.ID == "" {
						h.owner[seq] = t.ID
					}
				}
			}
		}
	}
	h.tickets[t.ID] = t
	h.journal = append(h.journal, string(t.State))
	if h.acks != nil {
		h.acks(t)
	}
	return nil
}

func (h *outboundHost) blame(format string, args ...any) {
	h.broken = append(h.broken, fmt.Sprintf(format, args...))
}

// handBack announces a ticket as after a crash.
func (h *outboundHost) handBack(t connector.Ticket) connector.Ticket {
	h.tickets[t.ID] = t
	for _, r := range t.Seqs {
		for seq := r.First; seq <= r.Last; seq++ {
			h.owner[seq] = t.ID
		}
	}
	return t
}

// lawful fails the test when a law was broken.
func (h *outboundHost) lawful(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, b := range h.broken {
		t.Errorf("broken law: %s", b)
	}
}

// open are the tickets that are not done.
func (h *outboundHost) open() []connector.Ticket {
	h.mu.Lock()
	defer h.mu.Unlock()
	var open []connector.Ticket
	for _, t := range h.tickets {
		if t.State != connector.TicketDone {
			open = append(open, t)
		}
	}
	slices.SortFunc(open, func(a, b connector.Ticket) int { return int(a.Seqs[0].First - b.Seqs[0].First) })
	return open
}

// statuses counts the outcomes.
func (h *outboundHost) statuses() map[connector.Status]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	counts := map[connector.Status]int{}
	for _, o := range h.outcomes {
		counts[o.Status]++
	}
	return counts
}

var people = &connector.Schema{ID: "people", Columns: []connector.Column{
	{Name: "Name", Type: connector.Type{Kind: connector.KindString}}, {Name: "City", Type: connector.Type{Kind: connector.KindString}},
}}

// batchOf makes a batch of rows numbered from first on. Every third city is null.
func batchOf(first, rows int, action connector.Action) *connector.RecordBatch {
	b := &connector.RecordBatch{Schema: people, Action: action, Rows: rows, Columns: make([]connector.Values, 2)}
	for i := range rows {
		seq := first + i
		b.Seqs = append(b.Seqs, int64(seq))
		b.Identifiers = append(b.Identifiers, fmt.Sprint("id", seq))
		b.Columns[0].Texts = append(b.Columns[0].Texts, fmt.Sprint("name", seq))
		city := fmt.Sprint("city", seq)
		if seq%3 == 0 {
			b.Columns[1].Nulls = append(b.Columns[1].Nulls, uint32(i))
			city = ""
		}
		b.Columns[1].Texts = append(b.Columns[1].Texts, city)
	}
	return b
}

// inboundHost receives rows.
type inboundHost struct {
	deskHost

	mu      sync.Mutex
	batches []*connector.RecordBatch
	said    map[string][]string // what came, by stream
	done    map[string]connector.StreamDone
}

func newInboundHost() *inboundHost {
	return &inboundHost{deskHost: newDeskHost(), said: map[string][]string{}, done: map[string]connector.StreamDone{}}
}

func (h *inboundHost) note(ctx context.Context, stream, format string, args ...any) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said[stream] = append(h.said[stream], fmt.Sprintf(format, args...))
	return nil
}

func (h *inboundHost) Append(ctx context.Context, b *connector.RecordBatch) error {
	if err := h.note(ctx, b.Stream, "%d rows of %s", b.Rows, b.Schema.ID); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches = append(h.batches, b)
	return nil
}

func (h *inboundHost) Delete(ctx context.Context, t connector.Tombstones) error {
	return h.note(ctx, t.Stream, "%d gone", len(t.AppIdentifiers))
}

func (h *inboundHost) Checkpoint(ctx context.Context, c connector.Checkpoint) error {
	return h.note(ctx, c.Stream, "checkpoint %s", c.State)
}

func (h *inboundHost) Done(ctx context.Context, d connector.StreamDone) error {
	if err := h.note(ctx, d.Stream, "done"); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[d.Stream] = d
	return nil
}

var (
	_ connector.OutboundStream = (*outboundHost)(nil)
	_ connector.InboundStream  = (*inboundHost)(nil)
)
