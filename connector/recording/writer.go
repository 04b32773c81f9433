package recording

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Writer writes conversations between a host and its connectors, one message a
// line as it passes, without the secrets of their connections. It is safe for
// concurrent use.
type Writer struct {
	redactor *Redactor
	now      func() time.Time

	mu  sync.Mutex
	out io.Writer
	err error // the first
}

// NewWriter returns a writer of conversations; now tells when they begin.
func NewWriter(out io.Writer, now func() time.Time) *Writer {
	return &Writer{redactor: NewRedactor(), now: now, out: out}
}

// Err returns why writing failed, if it did. The conversations go on all the
// same.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Watch returns a session whose syncs are written down. About names the
// connector. Like those of a launched connector the session has every capability;
// one that the given session lacks must not be used.
func (w *Writer) Watch(session connector.Session, connection connector.Connection, about About) connector.Session {
	s := &watched{Session: session, writer: w, connection: connection, about: about}
	s.outbound, _ = session.(connector.Outbound)
	s.inbound, _ = session.(connector.Inbound)
	s.OptionLister, _ = session.(connector.OptionLister)
	s.RecordValidator, _ = session.(connector.RecordValidator)
	s.CostEstimator, _ = session.(connector.CostEstimator)
	return s
}

func (w *Writer) line(l line) {
	text, err := marshal(l)
	w.write(text, err)
}

// message writes one message of a conversation.
func (w *Writer) message(m proto.Message, err error, side func(*line, []byte)) {
	if err != nil {
		w.write(nil, err)
		return
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		w.write(nil, err)
		return
	}
	clean, ok := w.redactor.JSON(text)
	if !ok {
		w.write(nil, errors.New("a message is no JSON"))
		return
	}
	var l line
	side(&l, clean)
	w.line(l)
}

func (w *Writer) host(m proto.Message, err error) {
	w.message(m, err, func(l *line, text []byte) { l.Host = text })
}

func (w *Writer) connector(m proto.Message, err error) {
	w.message(m, err, func(l *line, text []byte) { l.Connector = text })
}

func (w *Writer) write(text []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && w.err == nil {
		_, err = w.out.Write(append(text, '\n'))
	}
	if w.err == nil {
		w.err = err
	}
}

// begin writes what a conversation is about and returns the connection as it may
// be written down.
func (w *Writer) begin(about About, direction connector.Direction, c connector.Connection) (*pb.Connection, error) {
	about.Format, about.Direction, about.StartedAt = format, direction, w.now().UTC()
	w.line(line{About: &about})
	c.Secrets = w.redactor.Know(c.Secrets)
	return wire.Connection(c)
}

// end writes how a conversation ended.
func (w *Writer) end(err error) error {
	m := &pb.Error{}
	var failed error
	if err != nil {
		m, failed = wire.Error(connector.AsError(err))
	}
	w.message(m, failed, func(l *line, text []byte) { l.End = text })
	return err
}

// watched is a session whose syncs are written down.
type watched struct {
	connector.Session
	connector.OptionLister
	connector.RecordValidator
	connector.CostEstimator

	outbound   connector.Outbound
	inbound    connector.Inbound
	writer     *Writer
	connection connector.Connection
	about      About
}

var (
	_ connector.Outbound = (*watched)(nil)
	_ connector.Inbound  = (*watched)(nil)
)

func (s *watched) OutboundForm(ctx context.Context, r connector.FormRequest) (connector.Form, error) {
	return s.outbound.OutboundForm(ctx, r)
}

func (s *watched) InboundForm(ctx context.Context, r connector.FormRequest) (connector.Form, error) {
	return s.inbound.InboundForm(ctx, r)
}

func (s *watched) Streams(ctx context.Context, q connector.StreamQuery) ([]connector.Stream, error) {
	return s.inbound.Streams(ctx, q)
}

func (s *watched) SyncOutbound(ctx context.Context, about connector.OutboundSync, stream connector.OutboundStream) error {
	connection, err := s.writer.begin(s.about, connector.DirectionOutbound, s.connection)
	what, err2 := wire.OutboundSync(about)
	s.writer.host(outboundStart(connection, what), errors.Join(err, err2))
	return s.writer.end(s.outbound.SyncOutbound(ctx, about, &watchedOutbound{OutboundStream: stream, writer: s.writer, schemas: map[string]bool{}}))
}

func (s *watched) SyncInbound(ctx context.Context, about connector.InboundSync, stream connector.InboundStream) error {
	connection, err := s.writer.begin(s.about, connector.DirectionInbound, s.connection)
	what, err2 := wire.InboundSync(about)
	s.writer.host(&pb.SyncInboundRequest{Message: &pb.SyncInboundRequest_Start{Start: &pb.InboundStart{Connection: connection, Sync: what}}}, errors.Join(err, err2))
	return s.writer.end(s.inbound.SyncInbound(ctx, about, &watchedInbound{InboundStream: stream, writer: s.writer, schemas: map[string]bool{}}))
}

func outboundStart(connection *pb.Connection, sync *pb.OutboundSync) *pb.SyncOutboundRequest {
	return &pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Start{Start: &pb.OutboundStart{Connection: connection, Sync: sync}}}
}

// watchedOutbound writes down what passes through a stream.
type watchedOutbound struct {
	connector.OutboundStream
	writer *Writer

	mu      sync.Mutex // keeps a schema before its batches
	schemas map[string]bool
}

func (s *watchedOutbound) Next(ctx context.Context) (*connector.RecordBatch, error) {
	batch, err := s.OutboundStream.Next(ctx)
	if err == io.EOF {
		s.writer.host(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_EndOfRecords{EndOfRecords: &pb.EndOfRecords{}}}, nil)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if batch.Rows == 0 {
		s.writer.host(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_TicketRecordsEnd{TicketRecordsEnd: &pb.TicketRecordsEnd{TicketId: batch.Ticket}}}, nil)
		return batch, nil
	}
	if !s.schemas[batch.Schema.ID] {
		s.schemas[batch.Schema.ID] = true
		m, err := wire.Schema(batch.Schema)
		s.writer.host(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Schema{Schema: m}}, err)
	}
	m, err := wire.OutboundBatch(batch)
	s.writer.host(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Batch{Batch: m}}, err)
	return batch, nil
}

func (s *watchedOutbound) Settle(ctx context.Context, o connector.Outcomes) error {
	m, err := wire.Outcomes(o)
	s.writer.connector(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Outcomes{Outcomes: m}}, err)
	return s.OutboundStream.Settle(ctx, o)
}

func (s *watchedOutbound) Ticket(ctx context.Context, t connector.Ticket) error {
	m, err := wire.Ticket(t)
	s.writer.connector(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Ticket{Ticket: m}}, err)
	return s.OutboundStream.Ticket(ctx, t)
}

// watchedInbound writes down what passes through a stream.
type watchedInbound struct {
	connector.InboundStream
	writer *Writer

	mu      sync.Mutex // keeps a schema before its batches
	schemas map[string]bool
}

func (s *watchedInbound) Append(ctx context.Context, b *connector.RecordBatch) error {
	if b != nil && b.Schema != nil {
		s.write(b)
	}
	return s.InboundStream.Append(ctx, b)
}

func (s *watchedInbound) write(b *connector.RecordBatch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.schemas[b.Schema.ID] {
		s.schemas[b.Schema.ID] = true
		m, err := wire.Schema(b.Schema)
		if err == nil && b.Rows == 0 {
			m.Stream = b.Stream
		}
		s.writer.connector(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Schema{Schema: m}}, err)
	}
	if b.Rows > 0 {
		m, err := wire.InboundBatch(b)
		s.writer.connector(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Batch{Batch: m}}, err)
	}
}

func (s *watchedInbound) Delete(ctx context.Context, t connector.Tombstones) error {
	m, err := wire.Tombstones(t)
	s.writer.connector(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Tombstones{Tombstones: m}}, err)
	return s.InboundStream.Delete(ctx, t)
}

func (s *watchedInbound) Checkpoint(ctx context.Context, c connector.Checkpoint) error {
	m, err := wire.Checkpoint(c, 1)
	s.writer.connector(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Checkpoint{Checkpoint: m}}, err)
	return s.InboundStream.Checkpoint(ctx, c)
}

func (s *watchedInbound) Done(ctx context.Context, d connector.StreamDone) error {
	m, err := wire.StreamDone(d)
	s.writer.connector(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_StreamDone{StreamDone: m}}, err)
	return s.InboundStream.Done(ctx, d)
}
