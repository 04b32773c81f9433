package plugin

import (
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

type inboundCall = grpc.BidiStreamingServer[pb.SyncInboundRequest, pb.SyncInboundResponse]

// SyncInbound runs the connector's SyncInbound over a call.
func (s *server) SyncInbound(call inboundCall) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return hostBreach("the first message of SyncInbound is not start")
	}
	about, err := wire.InboundSyncFrom(start.GetSync())
	if err != nil {
		return hostBroke("the start of SyncInbound", err)
	}
	_, err = with(call.Context(), s, start.GetConnection(), func(in connector.Inbound) (struct{}, error) {
		return struct{}{}, runInbound(call, about, in)
	})
	return err
}

func runInbound(call inboundCall, about connector.InboundSync, in connector.Inbound) error {
	a := newInboundAuthor(call, about)
	go a.receive(a.receiveAll)
	defer a.stopWork(nil)
	err := a.reporting(func() error { return in.SyncInbound(connector.WithHost(a.work, a), about, a) })
	if cause := cmp.Or(a.broken(), err); cause != nil {
		return cause // what went wrong first explains the rest
	}
	if left := a.open(); left != "" {
		return connector.Errorf(connector.ClassInternal, "STREAM_OPEN", "the connector ended without ending the stream %s", left)
	}
	return a.send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Done{Done: &pb.InboundDone{Streams: int32(len(about.Streams))}}})
}

// inboundAuthor is what the connector sees of an inbound call: its
// InboundStream.
type inboundAuthor struct {
	*authorEnd
	call  inboundCall
	about connector.InboundSync

	sending sync.Mutex
	sent    schemaBook
	numbers map[string]int64
	ended   map[string]bool
}

func newInboundAuthor(call inboundCall, about connector.InboundSync) *inboundAuthor {
	a := &inboundAuthor{
		authorEnd: newAuthorEnd(call.Context(), about.KeepsLedger), call: call, about: about,
		sent: make(schemaBook), numbers: make(map[string]int64), ended: make(map[string]bool),
	}
	a.sendUsage = func(u *pb.Usage) error {
		return a.send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Usage{Usage: u}})
	}
	a.sendGrant = func(r *pb.GrantRequest) error {
		return a.send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_GrantRequest{GrantRequest: r}})
	}
	a.sendProgress = func(p *pb.Progress) error {
		return a.send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Progress{Progress: p}})
	}
	a.sendKeep = func(k *pb.Keep) error {
		return a.send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Keep{Keep: k}})
	}
	return a
}

func (a *inboundAuthor) send(messages ...*pb.SyncInboundResponse) error {
	a.sending.Lock()
	defer a.sending.Unlock()
	return a.sendLocked(messages...)
}

func (a *inboundAuthor) sendLocked(messages ...*pb.SyncInboundResponse) error {
	for _, m := range messages {
		if err := a.unsent(a.call.Send(m)); err != nil {
			return err
		}
	}
	return nil
}

// receiveAll receives until the call ends: acks, grants, stop.
func (a *inboundAuthor) receiveAll() error {
	for {
		m, err := a.call.Recv()
		if errors.Is(err, io.EOF) { // the host has no more to say
			return nil
		}
		if err == nil {
			err = a.take(m)
		}
		if err != nil {
			return err
		}
	}
}

func (a *inboundAuthor) take(m *pb.SyncInboundRequest) error {
	switch m := m.GetMessage().(type) {
	case *pb.SyncInboundRequest_CheckpointAck:
		stream, number, err := wire.CheckpointAckFrom(m.CheckpointAck)
		if err == nil {
			a.answered(checkpointKey{stream, number}, nil)
		}
		return hostBroke("an ack", err)
	case *pb.SyncInboundRequest_Grant:
		a.answered(m.Grant.GetId(), m.Grant)
		return nil
	case *pb.SyncInboundRequest_Stop:
		a.stopped(m.Stop)
		return nil
	}
	return hostBreach("an unknown or misplaced message in SyncInbound: %T", m.GetMessage())
}

type checkpointKey struct {
	stream string
	number int64
}

// Append sends rows, their schema first where it is new.
func (a *inboundAuthor) Append(_ context.Context, batch *connector.RecordBatch) error {
	defer a.reports.enter()()
	var parts []*pb.RecordBatch
	if batch.Rows > 0 {
		var err error
		if parts, err = messages(batch, wire.InboundBatch); err != nil {
			return connectorBroke("a batch", err)
		}
	}
	a.sending.Lock()
	defer a.sending.Unlock()
	if err := a.notEnded(batch.Stream); err != nil {
		return err
	}
	if err := a.describe(batch); err != nil {
		return err
	}
	for _, m := range parts {
		if err := a.sendLocked(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Batch{Batch: m}}); err != nil {
			return err
		}
	}
	return nil
}

// describe sends a batch's schema when it is new, and with it the name of a
// stream that has no rows yet. It is called with the lock held.
func (a *inboundAuthor) describe(batch *connector.RecordBatch) error {
	if batch.Schema == nil {
		return connectorBreach("the connector sent rows of the stream %s without a schema", batch.Stream)
	}
	m, err := a.sent.enter(batch.Schema, connector.ClassInternal)
	if err != nil || m == nil {
		return err
	}
	if batch.Rows == 0 {
		m.Stream = batch.Stream
	}
	return a.sendLocked(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Schema{Schema: m}})
}

// notEnded is called with the lock held.
func (a *inboundAuthor) notEnded(stream string) error {
	if !slices.ContainsFunc(a.about.Streams, func(s connector.StreamSelection) bool { return s.Name == stream }) {
		return connectorBreach("the connector sent the stream %q, which was not selected", stream)
	}
	if a.ended[stream] {
		return connector.Errorf(connector.ClassInternal, "STREAM_ENDED", "the connector went on with the stream %s after its end", stream)
	}
	return nil
}

// Delete sends tombstones.
func (a *inboundAuthor) Delete(_ context.Context, tombstones connector.Tombstones) error {
	defer a.reports.enter()()
	m, err := wire.Tombstones(tombstones)
	if err != nil {
		return connectorBroke("a message of tombstones", err)
	}
	a.sending.Lock()
	defer a.sending.Unlock()
	if err := a.notEnded(tombstones.Stream); err != nil {
		return err
	}
	return a.sendLocked(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Tombstones{Tombstones: m}})
}

// Checkpoint sends a checkpoint, and waits for its ack where the host sends them.
func (a *inboundAuthor) Checkpoint(ctx context.Context, checkpoint connector.Checkpoint) error {
	defer a.reports.enter()()
	m, err := a.numbered(checkpoint)
	if err != nil {
		return err
	}
	send := func() error {
		return a.send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Checkpoint{Checkpoint: m}})
	}
	if !a.about.AcksCheckpoints {
		return send()
	}
	_, err = a.ask(ctx, checkpointKey{m.GetStream(), m.GetNumber()}, send)
	return err
}

// numbered makes the message of a checkpoint. Only one that can be sent counts.
func (a *inboundAuthor) numbered(checkpoint connector.Checkpoint) (*pb.Checkpoint, error) {
	a.sending.Lock()
	defer a.sending.Unlock()
	if err := a.notEnded(checkpoint.Stream); err != nil {
		return nil, err
	}
	m, err := wire.Checkpoint(checkpoint, a.numbers[checkpoint.Stream]+1)
	if err != nil {
		return nil, connectorBroke("a checkpoint", err)
	}
	a.numbers[checkpoint.Stream]++
	return m, nil
}

// Done ends a stream.
func (a *inboundAuthor) Done(_ context.Context, done connector.StreamDone) error {
	defer a.reports.enter()()
	m, err := wire.StreamDone(done)
	if err != nil {
		return connectorBroke("the end of a stream", err)
	}
	a.sending.Lock()
	defer a.sending.Unlock()
	if err := a.notEnded(done.Stream); err != nil {
		return err
	}
	a.ended[done.Stream] = true
	return a.sendLocked(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_StreamDone{StreamDone: m}})
}

// open returns a stream that was not ended, or "".
func (a *inboundAuthor) open() string {
	a.sending.Lock()
	defer a.sending.Unlock()
	for _, s := range a.about.Streams {
		if !a.ended[s.Name] {
			return s.Name
		}
	}
	return ""
}
