package zoho

import (
	"context"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// benchSession is a session on a simulator that sets no limits.
func benchSession(b *testing.B) (*zohosim.Sim, connector.Session) {
	b.Helper()
	sim, err := zohosim.New(zohosim.Config{Dir: b.TempDir(), DisableDownloadLimit: true, DisableCredits: true, DisableTokenThrottle: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = sim.Close() })
	base, err := sim.Start()
	if err != nil {
		b.Fatal(err)
	}
	connection := connector.Connection{
		Method: methodSelfClient, Answers: connector.Answers{fieldClientID: {sim.ClientID()}, fieldEndpointURL: {base}},
		Secrets: connector.Answers{fieldClientSecret: {sim.ClientSecret()}, keptRefreshToken: {sim.RefreshToken()}},
		Limits:  connector.Limits{Limits: []connector.Limit{{Category: "all", Matchers: []connector.Matcher{{}}}}},
	}
	s, err := New(WithPolling(time.Millisecond, 20*time.Millisecond), WithTempDir(b.TempDir())).Open(b.Context(), connection)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return sim, s
}

// source hands out batches of leads and counts what succeeded.
type source struct {
	fakeHost
	left, next, ok int
}

func (s *source) Next(context.Context) (*connector.RecordBatch, error) {
	if s.left == 0 {
		return nil, io.EOF
	}
	n := min(s.left, 1000)
	s.left -= n
	b := &connector.RecordBatch{Schema: &connector.Schema{ID: "s"}, Action: connector.ActionCreate, Rows: n, Columns: make([]connector.Values, len(leadHeader))}
	values := []string{"Müller", "Acme", "", "1234.50", "2026-07-01T17:00:00Z", `["English","Tamil"]`, "true"}
	for c, name := range leadHeader {
		b.Schema.Columns = append(b.Schema.Columns, connector.Column{Name: name})
		b.Columns[c].Texts = make([]string, n)
		for i := range n {
			b.Columns[c].Texts[i] = values[c]
			if c == 2 {
				b.Columns[c].Texts[i] = strconv.Itoa(s.next + i)
			}
		}
	}
	for range n {
		b.Seqs = append(b.Seqs, int64(s.next))
		s.next++
	}
	return b, nil
}

func (s *source) Settle(_ context.Context, o connector.Outcomes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ok += len(o.Seqs) - len(o.Exceptions)
	return nil
}

func (s *source) Ticket(context.Context, connector.Ticket) error { return nil }

// BenchmarkOutbound measures upserts through bulk jobs, the simulator's work
// included.
func BenchmarkOutbound(b *testing.B) {
	_, s := benchSession(b)
	const rows = 100_000
	b.ReportAllocs()
	for b.Loop() {
		out := &source{fakeHost: newHost(), left: rows}
		if err := s.(connector.Outbound).SyncOutbound(b.Context(), syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), out); err != nil || out.ok != rows {
			b.Fatal(err, out.ok)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkInbound measures a full refresh, the simulator's work included.
func BenchmarkInbound(b *testing.B) {
	sim, s := benchSession(b)
	const rows = 50_000
	if err := sim.Generate("Leads", rows, 1); err != nil {
		b.Fatal(err)
	}
	sync := connector.InboundSync{StartedAt: sim.Now().Add(time.Hour), Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadFullRefresh}}}
	b.ReportAllocs()
	for b.Loop() {
		in := &counting{fakeHost: newHost()}
		if err := s.(connector.Inbound).SyncInbound(b.Context(), sync, in); err != nil || in.rows != rows {
			b.Fatal(err, in.rows)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
