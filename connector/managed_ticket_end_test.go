package connector_test

import (
	"context"
	"io"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

// handingBack is a host that hands a ticket back, says that these were all of its
// records, and has no more until the connector goes on with it.
type handingBack struct {
	batches []*connector.RecordBatch
	resumed chan struct{}
}

func (h *handingBack) Report(context.Context, connector.Report) {}
func (h *handingBack) Grant(context.Context, connector.GrantRequest) (connector.Grant, error) {
	return connector.Grant{Unlimited: true}, nil
}
func (h *handingBack) Stop() <-chan connector.Stop                      { return nil }
func (h *handingBack) Settle(context.Context, connector.Outcomes) error { return nil }
func (h *handingBack) Ticket(context.Context, connector.Ticket) error   { return nil }
func (h *handingBack) Next(ctx context.Context) (*connector.RecordBatch, error) {
	if len(h.batches) > 0 {
		b := h.batches[0]
		h.batches = h.batches[1:]
		return b, nil
	}
	select {
	case <-h.resumed:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func TestManagedOutboundGoesOnWithATicketWhenItsRecordsEnd(t *testing.T) {
	schema := &connector.Schema{ID: "s", Columns: []connector.Column{{Name: "a", Type: connector.Type{Kind: connector.KindString}}}}
	h := &handingBack{resumed: make(chan struct{}), batches: []*connector.RecordBatch{
		{Schema: schema, Ticket: "t", Action: connector.ActionCreate, Rows: 1, Seqs: []int64{1}, Identifiers: []string{"x"},
			Columns: []connector.Values{{Texts: []string{"v"}}}},
		{Ticket: "t"},
	}}
	m := connector.ManagedOutbound{
		Write: func(context.Context, *connector.Chunk) error { return nil },
		Resume: func(_ context.Context, c *connector.Chunk, _ connector.Ticket) error {
			c.Succeed(0, "")
			close(h.resumed)
			return nil
		},
	}
	about := connector.OutboundSync{KeepsTickets: true, Tickets: []connector.Ticket{
		{ID: "t", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 1, Last: 1}}}}}
	if err := m.Run(t.Context(), about, h); err != nil {
		t.Fatal(err)
	}
}
