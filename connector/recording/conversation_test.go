package recording

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// scripted is a session that does what it is told.
type scripted struct {
	out func(connector.OutboundSync, connector.OutboundStream) error
	in  func(connector.InboundSync, connector.InboundStream) error
}

func (s scripted) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	return connector.Connected{}, nil
}
func (s scripted) Limits(context.Context) (connector.Limits, error) { return connector.Limits{}, nil }
func (s scripted) Close() error                                     { return nil }
func (s scripted) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}
func (s scripted) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}
func (s scripted) Streams(context.Context, connector.StreamQuery) ([]connector.Stream, error) {
	return nil, nil
}
func (s scripted) SyncOutbound(_ context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	return s.out(sync, stream)
}
func (s scripted) SyncInbound(_ context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
	return s.in(sync, stream)
}

var day = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func leadsSchema() *connector.Schema {
	return &connector.Schema{ID: "s1", Columns: []connector.Column{
		{Name: "Name", Type: connector.Type{Kind: connector.KindString}}, {Name: "Note", Type: connector.Type{Kind: connector.KindString}},
	}}
}

// watchedFile has a session go through a conversation, and returns the file it
// was written to.
func watchedFile(t *testing.T, s scripted, talk func(connector.Session) error) string {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b, func() time.Time { return day })
	c := connector.Connection{
		ID: "crm", Method: "key", Answers: connector.Answers{"host": {"a.example"}}, Secrets: connector.Answers{"key": {hush}, "key_expires": {"2026-07-02T00:00:00Z"}},
	}
	session := w.Watch(s, c, About{Connector: "acme", Version: "1.0.0"})
	if err := talk(session); err != nil && err.Error() != "out of paper [PAPER]" {
		t.Fatal(err)
	}
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), ConversationFile)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := Scan(filepath.Dir(path), []string{hush}); err != nil || len(found) > 0 {
		t.Errorf("the file holds a secret: %v, %v\n%s", found, err, b.String())
	}
	return path
}

// played plays a file with a session.
func played(t *testing.T, path string, s scripted) (*Conversation, []string) {
	t.Helper()
	all, err := ReadConversations(path)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d conversations, %v", len(all), err)
	}
	c := all[0]
	if c.About.Connector != "acme" || c.About.Version != "1.0.0" || !c.About.StartedAt.Equal(day) || c.Connection.ID != "crm" ||
		c.Connection.Secrets.Get("key") != "REDACTED-key" || c.Connection.Secrets.Get("key_expires") != "2026-07-02T00:00:00Z" {
		t.Errorf("the conversation is of %+v with %+v", c.About, c.Connection)
	}
	d, err := c.Play(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, d
}

func TestAnOutboundConversationIsPlayed(t *testing.T) {
	t.Parallel()
	batch := func(ticket string, first int64) *connector.RecordBatch {
		return &connector.RecordBatch{
			Schema: leadsSchema(), Action: connector.ActionCreate, Ticket: ticket, Rows: 2, Seqs: []int64{first, first + 1}, Identifiers: []string{"a", "b"},
			Columns: []connector.Values{{Texts: []string{"Müller \"1\"", ""}, Nulls: []uint32{1}}, {Texts: []string{"it is " + hush, "2"}}},
		}
	}
	var seen []string
	session := func(status connector.Status, job, id string, fail error) scripted {
		return scripted{out: func(sync connector.OutboundSync, stream connector.OutboundStream) error {
			for {
				b, err := stream.Next(context.Background())
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					return err
				}
				if b.Rows == 0 {
					seen = append(seen, "end of "+b.Ticket)
					continue
				}
				seen = append(seen, b.Columns[0].Texts[0]+b.Ticket)
				if err := stream.Ticket(context.Background(), connector.Ticket{ID: job + "x", State: connector.TicketSubmitted, Seqs: connector.SeqRanges(b.Seqs), Handle: `{"job":"` + job + `"}`}); err != nil {
					return err
				}
				o := connector.Outcomes{Seqs: b.Seqs, AppIdentifiers: []string{id, ""}, Exceptions: []connector.RowOutcome{
					{Row: 1, Status: status, Error: connector.Errorf(connector.ClassRejected, "NO", "no"), Detail: `{"b":1,"a":2}`},
				}}
				if err := stream.Settle(context.Background(), o); err != nil {
					return err
				}
			}
			return fail
		}}
	}
	sync := connector.OutboundSync{
		SyncID: "s", RunID: "r", Strategy: connector.StrategyCreate, KeepsTickets: true, Records: 4, Deadline: day.Add(time.Hour),
		Mapping: []connector.MappedField{{Name: "Name", Type: connector.Type{Kind: connector.KindString}}, {Name: "Note", Type: connector.Type{Kind: connector.KindString}}},
		Tickets: []connector.Ticket{{ID: "t0", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 1, Last: 2}}, Handle: "{}"}},
	}
	as := session(connector.StatusRejected, "1", "57", nil)
	path := watchedFile(t, as, func(s connector.Session) error {
		stream := &playedOutbound{tally: newTally(), batches: []*connector.RecordBatch{batch("t0", 1), {Ticket: "t0"}, batch("", 3)}}
		return s.(connector.Outbound).SyncOutbound(t.Context(), sync, stream)
	})
	before := strings.Join(seen, ", ")
	seen = nil
	c, d := played(t, path, as)
	if len(d) > 0 || strings.Join(seen, ", ") != before || before != `Müller "1"t0, end of t0, Müller "1"` {
		t.Errorf("differences %v; seen were %s, now %v", d, before, seen)
	}
	if !c.Outbound.Deadline.Equal(sync.Deadline) || len(c.Outbound.Tickets) != 1 || c.Batches[0].Columns[1].Texts[0] != "it is REDACTED-key" || !c.Batches[0].Columns[0].IsNull(1) {
		t.Errorf("the sync is %+v with %+v", c.Outbound, c.Batches[0])
	}
	for name, other := range map[string]struct {
		session scripted
		says    string
		live    int // differences where the app is asked anew
	}{
		"another outcome":    {session(connector.StatusInvalid, "1", "57", nil), "record 2: INVALID: no [NO] {\"a\":2,\"b\":1}; recorded was: REJECTED", 2},
		"another identifier": {session(connector.StatusRejected, "1", "58", nil), "record 1: SUCCEEDED as 58; recorded was: SUCCEEDED as 57", 2},
		"another job":        {session(connector.StatusRejected, "2", "57", nil), `handle {"job":"2"}; recorded was`, 0},
		"a failure":          {session(connector.StatusRejected, "1", "57", connector.Errorf(connector.ClassInternal, "PAPER", "out of paper")), "ended with: out of paper [PAPER]; recorded was: nothing", 1},
	} {
		_, d := played(t, path, other.session)
		if !strings.Contains(strings.Join(d, "\n"), other.says) {
			t.Errorf("%s: differences %q", name, d)
		}
		all, err := ReadConversations(path)
		if err != nil {
			t.Fatal(err)
		}
		all[0].Live = true
		if d, err := all[0].Play(t.Context(), other.session, nil); err != nil || len(d) != other.live {
			t.Errorf("%s, live: differences %q, %v", name, d, err)
		}
	}
}

func TestAnInboundConversationIsPlayed(t *testing.T) {
	t.Parallel()
	session := func(name, state string, gone ...string) scripted {
		return scripted{in: func(sync connector.InboundSync, stream connector.InboundStream) error {
			ctx := context.Background()
			for _, batch := range []*connector.RecordBatch{
				{Schema: leadsSchema(), Stream: "Leads", Rows: 1, AppIdentifiers: []string{"1"}, Columns: []connector.Values{{Texts: []string{"Ada"}}, {Texts: []string{""}, Nulls: []uint32{0}}}},
				{Schema: leadsSchema(), Stream: "Leads", Rows: 1, AppIdentifiers: []string{"2"}, Columns: []connector.Values{{Texts: []string{name}}, {Texts: []string{""}}}},
				{Schema: &connector.Schema{ID: "s2", Columns: leadsSchema().Columns[:1]}, Stream: "Empty"},
			} {
				if err := stream.Append(ctx, batch); err != nil {
					return err
				}
			}
			return errors.Join(
				stream.Delete(ctx, connector.Tombstones{Stream: "Leads", AppIdentifiers: gone, DeletedAt: []time.Time{day, {}}}),
				stream.Checkpoint(ctx, connector.Checkpoint{Stream: "Leads", State: `{"b":1,"a":2}`}),
				stream.Done(ctx, connector.StreamDone{Stream: "Leads", State: state}),
				stream.Done(ctx, connector.StreamDone{Stream: "Empty", Error: connector.Errorf(connector.ClassTransient, "GONE", "gone")}),
			)
		}}
	}
	sync := connector.InboundSync{
		SyncID: "s", RunID: "r", StartedAt: day, AcksCheckpoints: true,
		Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadIncremental, State: `{"c":1}`}, {Name: "Empty", Mode: connector.ReadFullRefresh}},
	}
	as := session("Bob", `{"c":2}`, "8", "9")
	path := watchedFile(t, as, func(s connector.Session) error {
		return s.(connector.Inbound).SyncInbound(t.Context(), sync, &playedInbound{tally: newTally()})
	})
	if c, d := played(t, path, as); len(d) > 0 || c.Inbound.Streams[0].State != `{"c":1}` || !c.Inbound.StartedAt.Equal(day) {
		t.Errorf("differences %q of %+v", d, c.Inbound)
	}
	for says, other := range map[string]scripted{
		`row of stream Leads 2: 2 {"Name":"Eve","Note":""}; recorded was: 2 {"Name":"Bob","Note":""}`: session("Eve", `{"c":2}`, "8", "9"),
		`end of stream Leads: done with state {"c":3}`:                                                session("Bob", `{"c":3}`, "8", "9"),
		"tombstone of stream Leads 2: 99; recorded was: 9":                                            session("Bob", `{"c":2}`, "8", "99"),
	} {
		if _, d := played(t, path, other); len(d) != 1 || !strings.Contains(d[0], says) {
			t.Errorf("differences %q, want %q", d, says)
		}
	}
}

func TestNotEveryDifferenceIsTold(t *testing.T) {
	t.Parallel()
	before, now := newTally(), newTally()
	for seq := range int64(1000) {
		before.settle(connector.Outcomes{Seqs: []int64{seq}})
		before.rows(&connector.RecordBatch{Schema: &connector.Schema{ID: "s"}, Stream: "s", Rows: 1, AppIdentifiers: []string{"x"}})
	}
	d := before.differences(now, false)
	if text := strings.Join(d, "\n"); len(d) > 2*mostTold+3 || !strings.Contains(text, "records: 989 more have another outcome") || !strings.Contains(text, "there are 0, recorded were 1000") {
		t.Errorf("%d differences: %s", len(d), text)
	}
}

func TestFilesThatAreNoConversations(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "holds no conversation", "hello": ":1: this is no line", `{"host":{}}`: "begins with what it is about", `{"about":{"format":2}}`: "the format is 2",
		`{"about":{"format":1,"direction":"outbound"}}` + "\n" + `{"host":{"batch":{"schemaId":"none","rows":1}}}`: ":2: schema_id names a schema that was not sent",
	} {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConversations(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	c := &Conversation{About: About{Direction: connector.DirectionInbound}, answered: newTally()}
	if _, err := c.Play(t.Context(), scripted{}, nil); connector.AsError(err) == nil || connector.AsError(err).Code != "NOT_PLAYABLE" {
		t.Errorf("a conversation that was not begun: %v", err)
	}
}
