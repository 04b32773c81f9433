package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/pprof"

	"github.com/sluiceio/sluice/connector"
)

// double is a connector that settles each record at once, or writes it as a line
// of CSV before, and at the end says what its process took.
type double struct{}

// The answers of a connection to a double.
const (
	answerMode    = "mode"    // settle or csv
	answerProfile = "profile" // a file for a CPU profile; empty for none
	modeSettle    = "settle"
	modeCSV       = "csv"
)

// Manifest implements [connector.Connector].
func (double) Manifest(context.Context) (connector.Manifest, error) {
	return connector.Manifest{ID: "bench", Name: "Bench", Version: "1", Inbound: true, Strategies: []connector.Strategy{connector.StrategyUpsert}}, nil
}

// ConnectionForm implements [connector.Connector].
func (double) ConnectionForm(context.Context, connector.Answers) (connector.ConnectionForm, error) {
	return connector.ConnectionForm{Methods: []connector.ConnectionMethod{{Name: "none", Label: "None"}}}, nil
}

// NetworkAddresses implements [connector.Connector].
func (double) NetworkAddresses(context.Context, connector.Connection) ([]connector.NetworkAddress, error) {
	return nil, nil
}

// Open implements [connector.Connector].
func (double) Open(_ context.Context, c connector.Connection) (connector.Session, error) {
	return doubleSession{mode: c.Answers.Get(answerMode), profile: c.Answers.Get(answerProfile)}, nil
}

type doubleSession struct{ mode, profile string }

// Connect implements [connector.Session].
func (doubleSession) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	return connector.Connected{}, nil
}

// Limits implements [connector.Session].
func (doubleSession) Limits(context.Context) (connector.Limits, error) {
	return connector.Limits{}, nil
}

// Close implements [connector.Session].
func (doubleSession) Close() error { return nil }

// OutboundForm implements [connector.Outbound].
func (doubleSession) OutboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}

// SyncOutbound implements [connector.Outbound].
func (s doubleSession) SyncOutbound(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) (err error) {
	stop, err := profiled(s.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	before := ownCPU()
	var csv csvWriter
	for {
		b, err := stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if s.mode == modeCSV {
			for row := range b.Rows {
				for _, c := range b.Columns {
					csv.cell(c.Texts[row])
				}
				csv.end()
			}
			csv.drop()
		}
		if err := stream.Settle(ctx, connector.Outcomes{Seqs: b.Seqs, AppIdentifiers: b.Identifiers}); err != nil {
			return err
		}
	}
	words, err := json.Marshal(spent{CPU: ownCPU() - before, Peak: ownPeak()})
	stream.Report(ctx, connector.Report{Progress: &connector.Progress{Activity: string(words)}})
	return err
}

// InboundForm implements [connector.Inbound].
func (doubleSession) InboundForm(context.Context, connector.FormRequest) (connector.Form, error) {
	return connector.Form{}, nil
}

// Streams implements [connector.Inbound].
func (doubleSession) Streams(context.Context, connector.StreamQuery) ([]connector.Stream, error) {
	return nil, nil
}

// doubleRows are the rows that a double reads for each batch of the inbound
// boundary; their number is the stream's state.
const doubleRows = 4096

// SyncInbound implements [connector.Inbound]. The state of the stream is how many
// batches are wanted.
func (s doubleSession) SyncInbound(ctx context.Context, about connector.InboundSync, stream connector.InboundStream) (err error) {
	stop, err := profiled(s.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	selection := about.Streams[0]
	var batches int
	if err := json.Unmarshal([]byte(selection.State), &batches); err != nil {
		return err
	}
	template := inboundBatch(selection.Name, doubleRows)
	before := ownCPU()
	for range batches {
		b := *template
		if err := stream.Append(ctx, &b); err != nil {
			return err
		}
	}
	words, err := json.Marshal(spent{CPU: ownCPU() - before, Peak: ownPeak()})
	stream.Report(ctx, connector.Report{Progress: &connector.Progress{Activity: string(words)}})
	return errors.Join(err, stream.Done(ctx, connector.StreamDone{Stream: selection.Name, State: selection.State}))
}

// inboundBatch is a batch of rows on their way in.
func inboundBatch(stream string, rows int) *connector.RecordBatch {
	b := sourceBatch(sourceSchema("in"), 1, rows)
	b.AppIdentifiers, b.Identifiers, b.Seqs, b.Action, b.Stream = b.Identifiers, nil, nil, "", stream
	return b
}

// profiled begins a CPU profile, if one is wanted.
func profiled(file string) (stop func() error, err error) {
	if file == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { pprof.StopCPUProfile(); return f.Close() }, nil
}

// csvWriter writes lines of CSV into memory, as the far end of each encoding does.
type csvWriter struct {
	buf   []byte
	bytes int64
	began bool
}

// cell adds a cell to the line.
func (w *csvWriter) cell(text string) {
	if w.began {
		w.buf = append(w.buf, ',')
	}
	w.began = true
	quote := false
	for i := 0; i < len(text) && !quote; i++ {
		quote = text[i] == ',' || text[i] == '"' || text[i] == '\n' || text[i] == '\r'
	}
	if !quote {
		w.buf = append(w.buf, text...)
		return
	}
	w.buf = append(w.buf, '"')
	for i := 0; i < len(text); i++ {
		if text[i] == '"' {
			w.buf = append(w.buf, '"')
		}
		w.buf = append(w.buf, text[i])
	}
	w.buf = append(w.buf, '"')
}

// end ends the line.
func (w *csvWriter) end() { w.buf, w.began = append(w.buf, '\n'), false }

// drop counts what was written and forgets it.
func (w *csvWriter) drop() { w.bytes += int64(len(w.buf)); w.buf = w.buf[:0] }
