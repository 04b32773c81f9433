package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector/plugin"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// hostileStderr is where the process writes to stderr; go-plugin puts another
// file in the place of os.Stderr.
var hostileStderr = os.Stderr

// hostileMain is a connector program that does what the answer "mood" of its
// connection says. It speaks gRPC itself, without the SDK, which would not let it.
func hostileMain() {
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig: goplugin.HandshakeConfig{ProtocolVersion: plugin.ProtocolVersion, MagicCookieKey: plugin.CookieKey, MagicCookieValue: plugin.CookieValue},
		Plugins:         goplugin.PluginSet{"connector": &hostilePlugin{}}, Logger: hclog.NewNullLogger(), GRPCServer: goplugin.DefaultGRPCServer,
	})
	os.Exit(0)
}

type hostilePlugin struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (*hostilePlugin) GRPCServer(_ *goplugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterConnectorServiceServer(s, &hostile{})
	return nil
}

func (*hostilePlugin) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

type hostile struct {
	pb.UnimplementedConnectorServiceServer
}

// moodOf is the mood, and what it is about.
func moodOf(c *pb.Connection) (mood, about string) {
	for _, a := range c.GetAnswers() {
		if a.GetField() == "mood" {
			mood = a.GetValues()[0]
		}
		if a.GetField() == "about" {
			about = a.GetValues()[0]
		}
	}
	return mood, about
}

func (*hostile) Manifest(context.Context, *pb.ManifestRequest) (*pb.ManifestResponse, error) {
	return &pb.ManifestResponse{Manifest: &pb.Manifest{
		Id: "hostile", Name: "Hostile", Version: "1.0.0", Inbound: true, Features: []pb.Feature{pb.Feature_FEATURE_TICKETS, pb.Feature_FEATURE_GRANTS},
		Strategies: []*pb.Strategy{{Name: "Create", OnNew: "Create"}},
	}}, nil
}

func (*hostile) StreamList(_ context.Context, r *pb.StreamListRequest) (*pb.StreamListResponse, error) {
	if mood, _ := moodOf(r.GetConnection()); mood == "hangs at a question" {
		freeze()
	}
	return &pb.StreamListResponse{Streams: []*pb.Stream{{
		Name: "things", JsonSchema: `{"type": "object", "properties": {"id": {"type": "string"}}}`, Key: []string{"id"}, Modes: []pb.ReadMode{pb.ReadMode_READ_MODE_FULL_REFRESH},
	}}}, nil
}

// freeze stops this whole process, as a debugger does.
func freeze() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	select {}
}

// leak takes memory until somebody ends it; all is said to be well meanwhile.
func leak(say func() error) error {
	var held [][]byte
	for {
		block := make([]byte, 32<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		if held = append(held, block); say() != nil {
			return fmt.Errorf("nobody listens to %d blocks", len(held))
		}
		<-time.After(50 * time.Millisecond)
	}
}

// leaveBehind starts a process and thousands of goroutines that never end, and
// writes the process's id into a file.
func leaveBehind(file string) {
	for range 10_000 {
		go func() { select {} }()
	}
	cmd := exec.Command("sleep", "1000")
	cmd.Stderr = hostileStderr // holds the pipe to the host open
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		panic(err)
	}
}

func (*hostile) SyncOutbound(call grpc.BidiStreamingServer[pb.SyncOutboundRequest, pb.SyncOutboundResponse]) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	mood, about := moodOf(first.GetStart().GetConnection())
	h := &hostileOutbound{call: call}
	h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Demand{Demand: &pb.Demand{Batches: 8}}})
	seqs, err := h.batch()
	if err != nil {
		return err
	}
	switch mood {
	case "hangs":
		freeze()
	case "leaks memory":
		return leak(h.progress)
	case "leaves processes behind":
		leaveBehind(about)
	case "floods stderr":
		line := strings.Repeat("I have so much to tell. ", 100)
		for range 20_000 { // 48 MB
			fmt.Fprintln(hostileStderr, line)
		}
	case "floods with reports":
		for range 100_000 {
			_ = h.progress()
		}
	case "floods with requests for budget":
		for id := range int64(50_000) {
			h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_GrantRequest{GrantRequest: &pb.GrantRequest{Id: id + 1, Pool: "p", Units: 1}}})
		}
		<-call.Context().Done()
	case "floods with a huge message":
		h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Progress{Progress: &pb.Progress{Activity: strings.Repeat("x", 40<<20)}}})
		<-call.Context().Done()
	case "answers garbage":
		h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Outcomes{Outcomes: &pb.Outcomes{
			Seqs: seqs, Exceptions: []*pb.RowOutcome{{Row: 4_000_000, Status: 99}},
		}}})
		<-call.Context().Done()
	case "answers nothing that exists":
		h.send(&pb.SyncOutboundResponse{})
		<-call.Context().Done()
	case "settles what it was not given":
		h.settle([]int64{77_777})
		<-call.Context().Done()
	case "opens a ticket without a name":
		h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Ticket{Ticket: &pb.Ticket{State: pb.TicketState_TICKET_STATE_PREPARED}}})
		<-call.Context().Done()
	case "closes the stream half-way":
		return nil
	case "lies about its end":
		h.settle(seqs)
		h.done(1_000)
		return nil
	case "exits":
		fmt.Fprintln(hostileStderr, "out of luck at line 7")
		os.Exit(7)
	case "panics":
		panic("boo")
	}
	h.settle(seqs)
	return h.finish(int64(len(seqs)))
}

// hostileOutbound talks about one outbound sync.
type hostileOutbound struct {
	call grpc.BidiStreamingServer[pb.SyncOutboundRequest, pb.SyncOutboundResponse]
}

func (h *hostileOutbound) send(m *pb.SyncOutboundResponse) { _ = h.call.Send(m) }

func (h *hostileOutbound) progress() error {
	return h.call.Send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Progress{Progress: &pb.Progress{Activity: "doing my best"}}})
}

// batch returns the records of the first batch.
func (h *hostileOutbound) batch() ([]int64, error) {
	for {
		m, err := h.call.Recv()
		if err != nil || m.GetBatch() != nil {
			return m.GetBatch().GetSeqs(), err
		}
	}
}

func (h *hostileOutbound) settle(seqs []int64) {
	h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Outcomes{Outcomes: &pb.Outcomes{Seqs: seqs}}})
}

func (h *hostileOutbound) done(settled int64) {
	h.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Done{Done: &pb.OutboundDone{Settled: settled}}})
}

// finish settles whatever else comes, and ends well.
func (h *hostileOutbound) finish(settled int64) error {
	for {
		m, err := h.call.Recv()
		switch {
		case err != nil:
			return err
		case m.GetBatch() != nil:
			h.settle(m.GetBatch().GetSeqs())
			settled += int64(len(m.GetBatch().GetSeqs()))
		case m.GetEndOfRecords() != nil:
			h.done(settled)
			return nil
		}
	}
}

func (*hostile) SyncInbound(call grpc.BidiStreamingServer[pb.SyncInboundRequest, pb.SyncInboundResponse]) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	mood, _ := moodOf(first.GetStart().GetConnection())
	send := func(m *pb.SyncInboundResponse) { _ = call.Send(m) }
	rows := func(stream string, ids ...string) {
		send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Batch{Batch: &pb.RecordBatch{
			Stream: stream, SchemaId: "s", Rows: int32(len(ids)), AppIdentifiers: ids, Columns: []*pb.ColumnValues{{Texts: ids}},
		}}})
	}
	end := func(state string) {
		send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_StreamDone{StreamDone: &pb.StreamDone{Stream: "things", StateJson: state}}})
		send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Done{Done: &pb.InboundDone{Streams: 1}}})
	}
	send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Schema{Schema: &pb.Schema{
		Id: "s", Columns: []*pb.Column{{Name: "id", Type: &pb.LogicalType{Kind: pb.Kind_KIND_STRING}}},
	}}})
	rows("things", "a", "b")
	switch mood {
	case "hangs":
		freeze()
	case "leaks memory":
		return leak(func() error {
			return call.Send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Progress{Progress: &pb.Progress{Activity: "reading"}}})
		})
	case "closes the stream half-way":
		return nil
	case "leaves rows without a state":
		send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Done{Done: &pb.InboundDone{Streams: 0}}})
		return nil
	case "sends what it was not asked for":
		rows("others", "a")
		<-call.Context().Done()
		return nil
	case "answers garbage":
		send(&pb.SyncInboundResponse{Message: &pb.SyncInboundResponse_Batch{Batch: &pb.RecordBatch{Stream: "things", SchemaId: "s", Rows: 5, Columns: []*pb.ColumnValues{{Texts: []string{"a"}}}}}})
		<-call.Context().Done()
		return nil
	case "exits":
		fmt.Fprintln(hostileStderr, "out of luck at line 7")
		os.Exit(7)
	}
	end(`{}`)
	return nil
}
