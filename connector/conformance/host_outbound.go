package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// outboundScript says how a host behaves in one conversation.
type outboundScript struct {
	name string
	// records are sent in batches of rows; endless sends them over and over,
	// slowly, until the connector was to have ended.
	records []Record
	rows    int
	endless bool
	pace    time.Duration
	// repeat sends the records over and over until that many were sent.
	repeat int

	keepsTickets bool
	stop         connector.StopMode // after the second batch
	cancel       bool               // after the second batch
	timed        bool               // the run has a deadline
	failNext     bool               // at the second batch
	failSettle   bool
	failPrepared bool
	stopOnSubmit bool
	slowAck      bool

	tickets []connector.Ticket       // handed back
	handed  []*connector.RecordBatch // their records
	first   int64                    // number of the first fresh record, default 1
	schema  *connector.Schema
	action  connector.Action
	prefix  string // makes values of this conversation unlike those of others
}

// errHost is the failure of a host that fails on purpose.
var errHost = errors.New("the host failed on purpose, to see what the connector does")

// outcome is an outcome as it was heard.
type outcome struct {
	status connector.Status
	err    *connector.Error
	app    string
}

// ticketStep is a ticket as it was heard, and what was known then.
type ticketStep struct {
	connector.Ticket
	before  connector.TicketState // "" at the first step
	open    int                   // records of it without outcome
	unknown int                   // records of it that were not taken
}

// outboundTalk is a host that records an outbound conversation.
type outboundTalk struct {
	hearing
	script   outboundScript
	options  Options
	fed      int // batches
	row      int // of the endless supply
	err      error
	taken    map[int64]Record
	order    []int64
	outcomes map[int64][]outcome
	settled  int
	peak     int // records without outcome at once
	strange  []int64
	misshape []string
	leaks    []string // errors with the content of a record
	steps    []ticketStep
	tickets  map[string]connector.Ticket
	waiting  map[string]bool // PREPARED, not acknowledged
	early    []string        // went on without the ack
}

var _ connector.OutboundStream = (*outboundTalk)(nil)

func newOutboundTalk(script outboundScript, options Options) *outboundTalk {
	t := &outboundTalk{
		hearing: newHearing(), script: script, options: options, taken: make(map[int64]Record), outcomes: make(map[int64][]outcome),
		tickets: make(map[string]connector.Ticket), waiting: make(map[string]bool),
	}
	for _, ticket := range script.tickets {
		t.tickets[ticket.ID] = ticket
	}
	if t.script.first == 0 {
		t.script.first = 1
	}
	return t
}

// Next hands out the next batch.
func (t *outboundTalk) Next(ctx context.Context) (*connector.RecordBatch, error) {
	t.mu.Lock()
	alive, fed := t.hear(), t.fed
	t.fed++
	t.mu.Unlock()
	if !alive {
		return nil, errHost
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if t.script.pace > 0 && fed > 1 {
		if err := pause(ctx, t.script.pace); err != nil {
			return nil, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() {
		return nil, errHost
	}
	if fed == 2 && t.script.stop != "" {
		t.askStop(t.script.stop, t.options.Stop)
	}
	if fed == 2 && t.script.cancel {
		t.cancelNow()
		return nil, context.Canceled
	}
	if fed == 1 && t.script.failNext {
		return nil, errHost
	}
	return t.batch()
}

// batch cuts the next batch. The lock is held.
func (t *outboundTalk) batch() (*connector.RecordBatch, error) {
	if len(t.script.handed) > 0 {
		b := t.script.handed[0]
		t.script.handed = t.script.handed[1:]
		for i, seq := range b.Seqs {
			t.take(seq, Record{Identifier: b.Identifiers[i]})
		}
		return b, nil
	}
	total := len(t.script.records)
	switch {
	case total == 0:
		return nil, io.EOF
	case t.script.endless:
		total = t.row + t.script.rows
		if !t.deadline.IsZero() && time.Since(t.deadline) > t.options.Prompt {
			return nil, io.EOF // it was to have ended
		}
	case t.script.repeat > 0:
		total = t.script.repeat
	}
	if t.row >= total {
		return nil, io.EOF
	}
	n := min(t.script.rows, total-t.row)
	b := &connector.RecordBatch{Schema: t.script.schema, Action: t.script.action, Columns: make([]connector.Values, len(t.script.schema.Columns))}
	for range n {
		t.add(b)
	}
	return b, nil
}

// add appends the next record to a batch.
func (t *outboundTalk) add(b *connector.RecordBatch) {
	r := t.script.records[t.row%len(t.script.records)]
	if round := t.row / len(t.script.records); round > 0 {
		r.Identifier = fmt.Sprintf("%s~%d", r.Identifier, round)
	}
	seq := t.script.first + int64(t.row)
	t.row++
	r = r.made(t.script.prefix, seq)
	appendRecord(b, seq, r)
	t.take(seq, r)
}

// appendRecord adds a row to a batch.
func appendRecord(b *connector.RecordBatch, seq int64, r Record) {
	for i := range b.Columns {
		v := &b.Columns[i]
		if i >= len(r.Values) || r.Values[i] == nil {
			v.Nulls = append(v.Nulls, uint32(b.Rows))
			v.Texts = append(v.Texts, "")
			continue
		}
		v.Texts = append(v.Texts, *r.Values[i])
	}
	b.Seqs, b.Identifiers, b.AppIdentifiers = append(b.Seqs, seq), append(b.Identifiers, r.Identifier), append(b.AppIdentifiers, r.AppIdentifier)
	b.Rows++
}

func (t *outboundTalk) take(seq int64, r Record) {
	t.taken[seq] = r
	t.order = append(t.order, seq)
	t.peak = max(t.peak, len(t.taken)-t.settled)
}

// Settle takes outcomes.
func (t *outboundTalk) Settle(_ context.Context, o connector.Outcomes) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() || t.script.failSettle {
		return errHost
	}
	if bad := misshapen(o); bad != "" {
		t.misshape = append(t.misshape, bad)
	}
	exceptions := map[int]connector.RowOutcome{}
	for _, e := range o.Exceptions {
		exceptions[e.Row] = e
		t.tell("the detail of an outcome", e.Detail)
	}
	for i, seq := range o.Seqs {
		got := outcome{status: connector.StatusSucceeded}
		if i < len(o.AppIdentifiers) {
			got.app = o.AppIdentifiers[i]
		}
		if e, ok := exceptions[i]; ok {
			got.status, got.err = e.Status, e.Error
		}
		t.settle(seq, got)
	}
	return nil
}

// settle notes one outcome. The lock is held.
func (t *outboundTalk) settle(seq int64, got outcome) {
	record, known := t.taken[seq]
	if !known {
		t.strange = append(t.strange, seq)
		return
	}
	if len(t.outcomes[seq]) == 0 {
		t.settled++
	}
	t.outcomes[seq] = append(t.outcomes[seq], got)
	for id := range t.waiting {
		if got.status == connector.StatusSucceeded && holds(t.tickets[id].Seqs, seq) {
			t.early = append(t.early, fmt.Sprintf("record %d of ticket %s succeeded", seq, id))
		}
	}
	if got.err == nil {
		return
	}
	text := got.err.Error()
	t.tell("the error of an outcome", text)
	for _, v := range record.Values {
		if v != nil && len(*v) >= contentLength && containsFold(text, *v) {
			t.leaks = append(t.leaks, fmt.Sprintf("the error of record %d repeats a value of it", seq))
		}
	}
}

// contentLength is the number of bytes from which a value is recognised in a
// text.
const contentLength = 8

// misshapen says how a message of outcomes is malformed.
func misshapen(o connector.Outcomes) string {
	if len(o.Seqs) == 0 {
		return "a message of outcomes settles nothing"
	}
	if n := len(o.AppIdentifiers); n > 0 && n != len(o.Seqs) {
		return fmt.Sprintf("%d app identifiers for %d records", n, len(o.Seqs))
	}
	last := -1
	for _, e := range o.Exceptions {
		if e.Row <= last || e.Row >= len(o.Seqs) {
			return fmt.Sprintf("the exception of row %d is out of order or out of range", e.Row)
		}
		if e.Detail != "" && !json.Valid([]byte(e.Detail)) {
			return fmt.Sprintf("the detail of row %d is not JSON", e.Row)
		}
		last = e.Row
	}
	return ""
}

func holds(ranges []connector.SeqRange, seq int64) bool {
	return slices.ContainsFunc(ranges, func(r connector.SeqRange) bool { return r.First <= seq && seq <= r.Last })
}

// Ticket journals a ticket.
func (t *outboundTalk) Ticket(ctx context.Context, ticket connector.Ticket) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.hear() {
		return errHost
	}
	t.tell("the handle of a ticket", ticket.Handle)
	t.step(ticket)
	if t.waiting[ticket.ID] && ticket.State != connector.TicketPrepared {
		t.early = append(t.early, fmt.Sprintf("ticket %s is %s", ticket.ID, ticket.State))
	}
	t.tickets[ticket.ID] = ticket
	switch {
	case ticket.State == connector.TicketPrepared && t.script.failPrepared:
		return errHost
	case ticket.State == connector.TicketPrepared && t.script.slowAck:
		t.waiting[ticket.ID] = true
		t.mu.Unlock()
		err := pause(ctx, t.options.Pace)
		t.mu.Lock()
		delete(t.waiting, ticket.ID)
		return err
	case ticket.State == connector.TicketSubmitted && t.script.stopOnSubmit:
		t.askStop(connector.StopNow, t.options.Stop)
	}
	return nil
}

// step notes what a ticket says. The lock is held.
func (t *outboundTalk) step(ticket connector.Ticket) {
	s := ticketStep{Ticket: ticket, before: t.tickets[ticket.ID].State}
	for _, r := range ticket.Seqs {
		for seq := r.First; seq <= r.Last && seq-r.First < 1<<20; seq++ {
			if _, ok := t.taken[seq]; !ok {
				s.unknown++
			} else if len(t.outcomes[seq]) == 0 {
				s.open++
			}
		}
	}
	t.steps = append(t.steps, s)
}

// unsettled are the records without an outcome.
func (t *outboundTalk) unsettled() []int64 {
	var open []int64
	for _, seq := range t.order {
		if len(t.outcomes[seq]) == 0 {
			open = append(open, seq)
		}
	}
	return open
}
