package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// fake is a connector whose behaviour a connection's answer "mode" chooses. It
// is what the test binary serves when a host launches it.
type fake struct{ opened atomic.Int64 }

var _ connector.Connector = (*fake)(nil)

func (f *fake) Manifest(context.Context) (connector.Manifest, error) {
	return connector.Manifest{
		ID: "fake", Name: "Fake", Version: "1.2.3", Inbound: true,
		Features:   []connector.Feature{connector.FeatureTickets, connector.FeatureFormOptions, connector.FeatureValidateRecords, connector.FeatureOutboundCosts},
		Strategies: []connector.Strategy{connector.StrategyUpsert, connector.StrategyMirror},
		Icon:       connector.Icon{MediaType: "image/svg+xml", Data: []byte("<svg/>")},
	}, nil
}

func (f *fake) ConnectionForm(_ context.Context, answers connector.Answers) (connector.ConnectionForm, error) {
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{{
		Name: "key", Label: "With a key for " + answers.Get("region"),
		Form: connector.Form{Fields: []connector.Field{{Name: "key", Kind: connector.FieldInput, Label: "Key", Required: true, Secret: true}}},
	}}}, nil
}

func (f *fake) NetworkAddresses(_ context.Context, c connector.Connection) ([]connector.NetworkAddress, error) {
	if len(c.Secrets) > 0 {
		return nil, errors.New("secrets came where none are promised")
	}
	return []connector.NetworkAddress{{Host: "api.example.com", Purpose: "records"}}, nil
}

func (f *fake) Open(ctx context.Context, c connector.Connection) (connector.Session, error) {
	switch c.Answers.Get("mode") {
	case "refused":
		return nil, &connector.Error{Class: connector.ClassConfig, Code: "BAD_KEY", Message: "the key is too short",
			Fields: []connector.FieldViolation{{Field: "key", Description: "is too short"}}}
	case "plain":
		return plainSession{}, nil
	}
	return &fakeSession{opened: f.opened.Add(1), ctx: ctx, mode: c.Answers.Get("mode")}, nil
}

// plainSession has no capability beyond the required ones.
type plainSession struct{}

func (plainSession) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	return connector.Connected{}, nil
}
func (plainSession) Limits(context.Context) (connector.Limits, error) { return connector.Limits{}, nil }
func (plainSession) Close() error                                     { return nil }

type fakeSession struct {
	plainSession
	opened int64
	ctx    context.Context // as OAuth clients keep it
	mode   string
}

func (s *fakeSession) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	switch s.mode {
	case "auth":
		return connector.Connected{}, &connector.Error{Class: connector.ClassAuth, Code: "INVALID_TOKEN", Message: "the login was refused",
			Help: []connector.Help{{Description: "log in again", URL: "https://example.com/login"}}}
	case "panic":
		panic("secret-content")
	}
	if s.ctx.Err() != nil {
		return connector.Connected{}, errors.New("the session's context has ended")
	}
	return connector.Connected{Account: "session " + strconv.FormatInt(s.opened, 10)}, nil
}

func (s *fakeSession) OutboundForm(_ context.Context, r connector.FormRequest) (connector.Form, error) {
	return connector.Form{Mapper: &connector.Mapper{Fields: &connector.FieldMapper{OptionSource: "fields", Label: r.Strategy}}}, nil
}

func (s *fakeSession) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}

func (s *fakeSession) Options(_ context.Context, r connector.OptionsRequest) (connector.OptionsPage, error) {
	if r.Source != "fields" {
		return connector.OptionsPage{}, connector.Errorf(connector.ClassConfig, "UNKNOWN_SOURCE", "there is no option source %s", r.Source)
	}
	return connector.OptionsPage{Options: []connector.Option{{Value: "Email", Metadata: map[string]string{"max_length": "100"}}}, NextPageToken: "2"}, nil
}

func (s *fakeSession) ValidateRecords(_ context.Context, _ connector.OutboundSync, b *connector.RecordBatch) ([]connector.RowOutcome, error) {
	return []connector.RowOutcome{{Row: b.Rows - 1, Status: connector.StatusInvalid, Error: connector.Errorf(connector.ClassConfig, "BAD", "no")}}, nil
}

func (s *fakeSession) OutboundCosts(_ context.Context, _ connector.OutboundSync, counts []connector.ActionCount) ([]connector.OutboundPath, error) {
	cost := connector.PathCost{Category: "write", Requests: 1, Pool: "credits", Units: counts[0].Records}
	return []connector.OutboundPath{{Name: "calls", Chosen: true, Costs: []connector.PathCost{cost}}}, nil
}

func (s *fakeSession) Streams(_ context.Context, q connector.StreamQuery) ([]connector.Stream, error) {
	var out []connector.Stream
	for _, name := range q.Names {
		out = append(out, connector.Stream{Name: name, Schema: `{"type":"object"}`, Modes: []connector.ReadMode{connector.ReadFullRefresh}})
	}
	return out, nil
}

func (s *fakeSession) SyncOutbound(ctx context.Context, about connector.OutboundSync, stream connector.OutboundStream) error {
	if s.mode == "host" && connector.HostFrom(ctx) != stream {
		return errors.New("the context carries no host")
	}
	switch s.mode {
	case "idle": // never asks for a record
		stream.Report(ctx, connector.Report{Progress: &connector.Progress{Activity: "idling"}})
		select {
		case <-stream.Stop():
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case "deaf": // ignores stops
		<-ctx.Done()
		return context.Cause(ctx)
	}
	for {
		batch, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.apply(ctx, about, batch, stream); err != nil {
			return err
		}
	}
}

func (s *fakeSession) apply(ctx context.Context, about connector.OutboundSync, b *connector.RecordBatch, stream connector.OutboundStream) error {
	switch {
	case b.Rows == 0:
		return nil
	case s.mode == "panic":
		var none []int
		_ = none[b.Rows]
	case s.mode == "forget":
		return nil
	case s.mode == "invent":
		return stream.Settle(ctx, connector.Outcomes{Seqs: []int64{1 << 40}})
	case s.mode == "die":
		println("panic: the roof is on fire") // to the stderr of the runtime, as a real panic
		os.Exit(3)
	case s.mode == "fail":
		return connector.Errorf(connector.ClassQuotaExhausted, "SPENT", "the credits are spent")
	case s.mode == "ticket":
		t := connector.Ticket{ID: "t" + strconv.FormatInt(b.Seqs[0], 10), State: connector.TicketPrepared, Seqs: connector.SeqRanges(b.Seqs), Handle: `{"job":1}`}
		if err := stream.Ticket(ctx, t); err != nil {
			return err
		}
		t.State = connector.TicketSubmitted
		if err := stream.Ticket(ctx, t); err != nil {
			return err
		}
		defer func() { t.State = connector.TicketDone; _ = stream.Ticket(ctx, t) }()
	case s.mode == "grant":
		g, err := stream.Grant(ctx, connector.GrantRequest{Pool: "credits", Units: 5})
		if err != nil || g.Units != 5 {
			return fmt.Errorf("granted %d: %w", g.Units, err)
		}
		stream.Report(ctx, connector.Report{Usage: []connector.Usage{{Category: "calls", Requests: 1, Pool: "credits", Units: 5}}})
	}
	out := connector.Outcomes{Seqs: b.Seqs, AppIdentifiers: b.Identifiers}
	for row := range b.Rows {
		if !b.Columns[0].IsNull(row) && strings.HasPrefix(b.Columns[0].Texts[row], "bad") {
			out.Exceptions = append(out.Exceptions, connector.RowOutcome{Row: row, Status: connector.StatusRejected,
				Error: connector.Errorf(connector.ClassRejected, "BAD_VALUE", "the app refused it"), Detail: `{"row":` + strconv.Itoa(row) + `}`})
		}
	}
	return stream.Settle(ctx, out)
}

func (s *fakeSession) SyncInbound(ctx context.Context, about connector.InboundSync, stream connector.InboundStream) error {
	schema := &connector.Schema{ID: "s", Columns: []connector.Column{{Name: "id", Type: connector.Type{Kind: connector.KindInt64}}}}
	for _, sel := range about.Streams {
		if s.mode == "empty" {
			shown := &connector.RecordBatch{Schema: &connector.Schema{ID: sel.Name, Columns: schema.Columns}, Stream: sel.Name, Columns: make([]connector.Values, 1)}
			if err := errors.Join(stream.Append(ctx, shown), stream.Done(ctx, connector.StreamDone{Stream: sel.Name})); err != nil {
				return err
			}
			continue
		}
		batch := &connector.RecordBatch{Schema: schema, Stream: sel.Name, Rows: 2, AppIdentifiers: []string{"1", "2"},
			Columns: []connector.Values{{Texts: []string{"9007199254740993", ""}, Nulls: []uint32{1}}}}
		if err := stream.Append(ctx, batch); err != nil {
			return err
		}
		if s.mode == "trailing" {
			return nil
		}
		if err := stream.Checkpoint(ctx, connector.Checkpoint{Stream: sel.Name, State: `{"page":1}`}); err != nil {
			return err
		}
		if err := stream.Delete(ctx, connector.Tombstones{Stream: sel.Name, AppIdentifiers: []string{"7"}, DeletedAt: []time.Time{{}}}); err != nil {
			return err
		}
		if err := stream.Done(ctx, connector.StreamDone{Stream: sel.Name, State: `{"page":2}`}); err != nil {
			return err
		}
		if s.mode == "after the end" {
			return stream.Append(ctx, batch)
		}
	}
	return nil
}

// hostFake is the part of a host that both directions share.
type hostFake struct {
	stop chan connector.Stop

	mu       sync.Mutex
	progress []connector.Progress
	usage    []connector.Usage
	grants   int
}

func (h *hostFake) Report(_ context.Context, r connector.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Progress != nil {
		h.progress = append(h.progress, *r.Progress)
	}
	h.usage = append(h.usage, r.Usage...)
}

func (h *hostFake) Grant(_ context.Context, r connector.GrantRequest) (connector.Grant, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.grants++
	return connector.Grant{Pool: r.Pool, Units: r.Units, ExpiresAt: time.Now().Add(time.Minute)}, nil
}

func (h *hostFake) Stop() <-chan connector.Stop { return h.stop }

// outbox is a host's end of an outbound conversation: so many batches.
type outbox struct {
	hostFake
	batches int
	batch   func(i int) *connector.RecordBatch

	given   atomic.Int64
	tickets []connector.Ticket
	log     []string
	settled map[int64]connector.Status
	apps    map[int64]string
	doom    func() // called by the second Next, if set
}

var _ connector.OutboundStream = (*outbox)(nil)

func newOutbox(batches, rows int) *outbox {
	return &outbox{
		hostFake: hostFake{stop: make(chan connector.Stop, 1)}, batches: batches,
		batch: func(i int) *connector.RecordBatch { return leads(i*rows, rows) }, settled: map[int64]connector.Status{}, apps: map[int64]string{},
	}
}

var leadSchema = &connector.Schema{ID: "leads", Columns: []connector.Column{
	{Name: "Last_Name", Type: connector.Type{Kind: connector.KindString}}, {Name: "Amount", Type: connector.Type{Kind: connector.KindDecimal, Precision: 20, Scale: 2}},
}}

// leads makes rows numbered from first; every seventh is one the app refuses,
// every fifth amount is null.
func leads(first, rows int) *connector.RecordBatch {
	b := &connector.RecordBatch{Schema: leadSchema, Action: connector.ActionCreate, Rows: rows, Columns: make([]connector.Values, 2)}
	for i := range rows {
		n := first + i
		name, amount := "Müller, \"O\"\n"+strconv.Itoa(n), "12345678901234567.89"
		if n%7 == 0 {
			name = "bad"
		}
		if n%5 == 0 {
			amount = ""
			b.Columns[1].Nulls = append(b.Columns[1].Nulls, uint32(i))
		}
		b.Seqs = append(b.Seqs, int64(n))
		b.Identifiers = append(b.Identifiers, "id-"+strconv.Itoa(n))
		b.Columns[0].Texts = append(b.Columns[0].Texts, name)
		b.Columns[1].Texts = append(b.Columns[1].Texts, amount)
	}
	return b
}

func (o *outbox) Next(ctx context.Context) (*connector.RecordBatch, error) {
	i := int(o.given.Load())
	if i == 1 && o.doom != nil {
		o.doom()
	}
	if i >= o.batches || ctx.Err() != nil {
		return nil, io.EOF
	}
	o.given.Add(1)
	return o.batch(i), nil
}

func (o *outbox) Settle(_ context.Context, outcomes connector.Outcomes) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log = append(o.log, "settle")
	for row, seq := range outcomes.Seqs {
		if _, twice := o.settled[seq]; twice {
			return fmt.Errorf("record %d is settled twice", seq)
		}
		o.settled[seq] = connector.StatusSucceeded
		if len(outcomes.AppIdentifiers) > 0 {
			o.apps[seq] = outcomes.AppIdentifiers[row]
		}
	}
	for _, e := range outcomes.Exceptions {
		o.settled[outcomes.Seqs[e.Row]] = e.Status
	}
	return nil
}

func (o *outbox) Ticket(_ context.Context, t connector.Ticket) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tickets = append(o.tickets, t)
	o.log = append(o.log, string(t.State))
	return nil
}

// tables is a host's end of an inbound conversation.
type tables struct {
	hostFake
	log []string
}

var _ connector.InboundStream = (*tables)(nil)

func (t *tables) note(format string, args ...any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.log = append(t.log, fmt.Sprintf(format, args...))
	return nil
}

func (t *tables) Append(_ context.Context, b *connector.RecordBatch) error {
	return t.note("%s rows %v nulls %v", b.Stream, b.Columns[0].Texts, b.Columns[0].Nulls)
}
func (t *tables) Delete(_ context.Context, d connector.Tombstones) error {
	return t.note("%s deletes %v %v", d.Stream, d.AppIdentifiers, d.DeletedAt[0].IsZero())
}
func (t *tables) Checkpoint(_ context.Context, c connector.Checkpoint) error {
	return t.note("%s checkpoint %s", c.Stream, c.State)
}
func (t *tables) Done(_ context.Context, d connector.StreamDone) error {
	return t.note("%s done %s", d.Stream, d.State)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
