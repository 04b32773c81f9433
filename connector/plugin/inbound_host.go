package plugin

import (
	"context"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// SyncInbound receives the selected streams into one that the host implements.
func (s *session) SyncInbound(ctx context.Context, about connector.InboundSync, stream connector.InboundStream) error {
	start, err := wire.InboundSync(about)
	if err != nil {
		return hostBroke("what the sync is about", err)
	}
	end := newHostEnd(ctx, s.process, stream)
	defer end.end()
	call, err := s.client.SyncInbound(end.ctx, callOptions()...)
	if err != nil {
		return end.lost(err)
	}
	h := &inboundHost{
		stream: stream, acks: about.AcksCheckpoints,
		schemas: make(map[string]*connector.Schema), streams: make(map[string]*streamLaws, len(about.Streams)),
	}
	h.hostEnd, h.call = end, call
	for _, selected := range about.Streams {
		h.streams[selected.Name] = &streamLaws{}
	}
	h.sendGrant = func(g *pb.Grant) error {
		return h.send(&pb.SyncInboundRequest{Message: &pb.SyncInboundRequest_Grant{Grant: g}})
	}
	h.sendStop = func(s *pb.Stop) error {
		return h.send(&pb.SyncInboundRequest{Message: &pb.SyncInboundRequest_Stop{Stop: s}})
	}
	_ = h.send(&pb.SyncInboundRequest{Message: &pb.SyncInboundRequest_Start{Start: &pb.InboundStart{Connection: s.connection, Sync: start}}}) // Recv has the reason
	h.watchStop()
	return h.receive(h.handle)
}

// inboundHost is one inbound call, seen from the host.
type inboundHost struct {
	hostCall[pb.SyncInboundRequest, pb.SyncInboundResponse]
	stream connector.InboundStream
	acks   bool

	schemas map[string]*connector.Schema
	streams map[string]*streamLaws
}

// streamLaws are what one stream has done so far.
type streamLaws struct {
	pending int64 // rows and tombstones since the last checkpoint
	number  int64 // of the last checkpoint
	ended   bool
}

func (h *inboundHost) finish(done *pb.InboundDone) error {
	for name, s := range h.streams {
		if !s.ended {
			return connectorBreach("the connector is done without having ended the stream %s; %d of its rows came without a state and are dropped", name, s.pending)
		}
	}
	if int(done.GetStreams()) != len(h.streams) {
		return connectorBreach("the connector says it ended %d streams of %d", done.GetStreams(), len(h.streams))
	}
	return nil
}

func (h *inboundHost) handle(m *pb.SyncInboundResponse) (done bool, err error) {
	switch m := m.GetMessage().(type) {
	case *pb.SyncInboundResponse_Schema:
		return false, h.schema(m.Schema)
	case *pb.SyncInboundResponse_Batch:
		return false, h.batch(m.Batch)
	case *pb.SyncInboundResponse_Tombstones:
		return false, h.tombstones(m.Tombstones)
	case *pb.SyncInboundResponse_Checkpoint:
		return false, h.checkpoint(m.Checkpoint)
	case *pb.SyncInboundResponse_StreamDone:
		return false, h.streamDone(m.StreamDone)
	case *pb.SyncInboundResponse_Usage:
		return false, h.usage(m.Usage)
	case *pb.SyncInboundResponse_GrantRequest:
		return false, h.grant(m.GrantRequest)
	case *pb.SyncInboundResponse_Progress:
		return false, h.progress(m.Progress)
	case *pb.SyncInboundResponse_Keep:
		return false, h.keep(m.Keep)
	case *pb.SyncInboundResponse_Done:
		return true, h.finish(m.Done)
	}
	return false, connectorBreach("the connector sent an unknown message in SyncInbound: %T", m.GetMessage())
}

func (h *inboundHost) schema(m *pb.Schema) error {
	schema, err := wire.SchemaFrom(m)
	if err != nil {
		return connectorBroke("a schema", err)
	}
	if h.schemas[schema.ID] != nil {
		return connectorBreach("the schema %q came twice; schemas are immutable", schema.ID)
	}
	h.schemas[schema.ID] = schema
	if m.GetStream() == "" {
		return nil
	}
	if _, err := h.laws(m.GetStream()); err != nil {
		return err
	}
	return h.stream.Append(h.ctx, &connector.RecordBatch{Schema: schema, Stream: m.GetStream(), Columns: make([]connector.Values, len(schema.Columns))})
}

// laws returns a selected stream that has not ended.
func (h *inboundHost) laws(stream string) (*streamLaws, error) {
	s := h.streams[stream]
	if s == nil {
		return nil, connectorBreach("the connector sent the stream %q, which was not selected", stream)
	}
	if s.ended {
		return nil, connectorBreach("the connector went on with the stream %s after its end", stream)
	}
	return s, nil
}

func (h *inboundHost) batch(m *pb.RecordBatch) error {
	s, err := h.laws(m.GetStream())
	if err != nil {
		return err
	}
	schema := h.schemas[m.GetSchemaId()]
	if schema == nil {
		return connectorBreach("a batch of %s came before its schema %q", m.GetStream(), m.GetSchemaId())
	}
	batch, err := wire.InboundBatchFrom(m, schema)
	if err != nil {
		return connectorBroke("a batch", err)
	}
	s.pending += int64(batch.Rows)
	return h.stream.Append(h.ctx, batch)
}

func (h *inboundHost) tombstones(m *pb.Tombstones) error {
	t, err := wire.TombstonesFrom(m)
	if err != nil {
		return connectorBroke("a message of tombstones", err)
	}
	s, err := h.laws(t.Stream)
	if err != nil {
		return err
	}
	s.pending += int64(len(t.AppIdentifiers))
	return h.stream.Delete(h.ctx, t)
}

func (h *inboundHost) checkpoint(m *pb.Checkpoint) error {
	c, number, err := wire.CheckpointFrom(m)
	if err != nil {
		return connectorBroke("a checkpoint", err)
	}
	s, err := h.laws(c.Stream)
	if err != nil {
		return err
	}
	if s.number++; number != s.number {
		return connectorBreach("checkpoint %d of %s came where %d was due", number, c.Stream, s.number)
	}
	if err := h.stream.Checkpoint(h.ctx, c); err != nil {
		return err
	}
	s.pending = 0
	if !h.acks {
		return nil
	}
	ack, err := wire.CheckpointAck(c.Stream, s.number)
	if err != nil {
		return err
	}
	h.helpers.Go(func() {
		_ = h.send(&pb.SyncInboundRequest{Message: &pb.SyncInboundRequest_CheckpointAck{CheckpointAck: ack}}) // a broken call shows in Recv
	})
	return nil
}

func (h *inboundHost) streamDone(m *pb.StreamDone) error {
	d, err := wire.StreamDoneFrom(m)
	if err != nil {
		return connectorBroke("the end of a stream", err)
	}
	s, err := h.laws(d.Stream)
	if err != nil {
		return err
	}
	if d.Error == nil && d.State == "" && s.pending > 0 {
		return connectorBreach("the stream %s ended without a state after %d rows", d.Stream, s.pending)
	}
	s.ended, s.pending = true, 0
	return h.stream.Done(h.ctx, d)
}
