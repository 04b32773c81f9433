package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/plugin"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// boundary moves batches to a connector process and an outcome for each record
// back, as the runner does: mutual TLS over a Unix socket.
type boundary struct {
	mode    string
	batches int
	rows    int // of each batch
	profile string
	inbound bool
}

func (b boundary) records() int64 { return int64(b.batches) * int64(b.rows) }

func (b boundary) do(ctx context.Context) (c cost, err error) {
	self, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	p, err := plugin.Launch(ctx, plugin.LaunchConfig{Path: self, Stderr: os.Stderr})
	if err != nil {
		return cost{}, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	answers := connector.Answers{answerMode: {b.mode}}
	if b.profile != "" {
		answers[answerProfile] = []string{b.profile + "-connector.pprof"}
	}
	session, err := p.Open(ctx, connector.Connection{Method: "none", Answers: answers})
	if err != nil {
		return cost{}, err
	}
	stop := func() error { return nil }
	if b.profile != "" {
		if stop, err = profiled(b.profile + "-host.pprof"); err != nil {
			return cost{}, err
		}
	}
	h := &boundaryHost{left: b.batches, template: sourceBatch(sourceSchema("s"), 1, b.rows)}
	c, err = timed(func() error {
		if b.inbound {
			about := connector.InboundSync{SyncID: "bench", RunID: "1", StartedAt: time.Now(), Streams: []connector.StreamSelection{{Name: "rows", Mode: connector.ReadFullRefresh, State: fmt.Sprint(b.batches)}}}
			return session.(connector.Inbound).SyncInbound(ctx, about, h)
		}
		about := connector.OutboundSync{SyncID: "bench", RunID: "1", Strategy: connector.StrategyUpsert, KeepsTickets: true, KeepsLedger: true, Records: b.records()}
		for _, column := range h.template.Schema.Columns {
			about.Mapping = append(about.Mapping, connector.MappedField(column))
		}
		return session.(connector.Outbound).SyncOutbound(ctx, about, h)
	})
	if err = errors.Join(err, stop()); err == nil && h.moved != b.records() {
		err = fmt.Errorf("%d of %d records were moved", h.moved, b.records())
	}
	c.CPU += h.far.CPU
	c.Peaks = map[string]int64{"host": ownPeak(), "connector": h.far.Peak}
	return c, err
}

// boundaryHost is the host's end of both conversations. It sends the same texts
// again and again under new numbers.
type boundaryHost struct {
	template *connector.RecordBatch
	left     int
	next     int64

	mu    sync.Mutex
	moved int64
	far   spent
}

// Report takes what the far end says of itself.
func (h *boundaryHost) Report(_ context.Context, r connector.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Progress != nil {
		_ = json.Unmarshal([]byte(r.Progress.Activity), &h.far) // other activities are plain words
	}
}

// Grant implements [connector.Host].
func (h *boundaryHost) Grant(context.Context, connector.GrantRequest) (connector.Grant, error) {
	return connector.Grant{Unlimited: true}, nil
}

// Stop implements [connector.Host].
func (h *boundaryHost) Stop() <-chan connector.Stop { return nil }

// Next implements [connector.OutboundStream].
func (h *boundaryHost) Next(context.Context) (*connector.RecordBatch, error) {
	if h.left == 0 {
		return nil, io.EOF
	}
	h.left--
	b := *h.template
	b.Seqs = make([]int64, b.Rows)
	for i := range b.Seqs {
		h.next++
		b.Seqs[i] = h.next
	}
	return &b, nil
}

// Settle implements [connector.OutboundStream].
func (h *boundaryHost) Settle(_ context.Context, o connector.Outcomes) error {
	h.moved += int64(len(o.Seqs))
	return nil
}

// Ticket implements [connector.OutboundStream].
func (h *boundaryHost) Ticket(context.Context, connector.Ticket) error { return nil }

// Append implements [connector.InboundStream].
func (h *boundaryHost) Append(_ context.Context, b *connector.RecordBatch) error {
	h.moved += int64(b.Rows)
	return nil
}

// Delete implements [connector.InboundStream].
func (h *boundaryHost) Delete(context.Context, connector.Tombstones) error { return nil }

// Checkpoint implements [connector.InboundStream].
func (h *boundaryHost) Checkpoint(context.Context, connector.Checkpoint) error { return nil }

// Done implements [connector.InboundStream].
func (h *boundaryHost) Done(context.Context, connector.StreamDone) error { return nil }

// batchRows is about what 1 MiB holds, the size of the runner's batches.
const batchRows = 4096

// messageSizes are the bytes of a batch on the wire, and of its outcomes.
func messageSizes(rows int) (batch, outcomes int) {
	b := sourceBatch(sourceSchema("s"), 1, rows)
	m := &pb.RecordBatch{SchemaId: "s", Action: "Create", Rows: int32(rows), Seqs: b.Seqs, Identifiers: b.Identifiers}
	for _, c := range b.Columns {
		m.Columns = append(m.Columns, &pb.ColumnValues{Texts: c.Texts, Nulls: c.Nulls})
	}
	return proto.Size(m), proto.Size(&pb.Outcomes{Seqs: b.Seqs, AppIdentifiers: b.Identifiers})
}

// measureBoundary measures the contract against sockets without a protocol.
func measureBoundary(ctx context.Context, o options) ([]line, error) {
	pair, err := newPair()
	if err != nil {
		return nil, err
	}
	batches := max(4, int(o.few/batchRows))
	message, answer := messageSizes(batchRows)
	ours := boundary{mode: modeSettle, batches: batches, rows: batchRows}
	secure := raw{pair: pair, messages: batches, message: message, answer: answer}
	clear := secure
	clear.pair = ""
	lines, err := race(ctx, o.rounds, subject{"socket with mutual TLS", secure.do},
		subject{"boundary out, an outcome per record", ours.do}, subject{"socket in the clear", clear.do})
	if err != nil {
		return nil, err
	}
	oneWay := secure
	oneWay.answer = 0
	in := boundary{batches: batches, rows: doubleRows, inbound: true}
	inLines, err := race(ctx, o.rounds, subject{"socket with mutual TLS, one way", oneWay.do}, subject{"boundary in", in.do})
	if err != nil {
		return nil, err
	}
	lines = append(lines[:1], append(inLines, lines[1:]...)...)
	for i := range lines {
		lines[i].Records, lines[i].Bytes = ours.records(), int64(batches)*int64(message)
	}
	lines[0].Target.Least = 0.5
	lines[0].Absolute = float64(ours.records()) / 500_000
	return lines, ours.explain(ctx, o, &lines[0], "boundary")
}

// explain profiles the connector's end of the boundary for a target that is not
// met, with more records, so that there is something to see.
func (b boundary) explain(ctx context.Context, o options, l *line, name string) error {
	if l.met() || o.profiles == "" {
		return nil
	}
	if err := os.MkdirAll(o.profiles, 0o755); err != nil {
		return err
	}
	b.profile = filepath.Join(o.profiles, name)
	b.batches *= 10
	if _, err := b.do(ctx); err != nil {
		return err
	}
	l.Profile = b.profile + "-connector.pprof"
	return nil
}
