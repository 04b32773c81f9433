package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// The peers: how others move records to a connector. Each is a double as small
// and as fast as it can honestly be: it begins with the same columns of text, it
// ends with the same CSV at the far end and an outcome for each record at the
// near one. Those on gRPC have mutual TLS over a Unix socket as ours has.
const (
	peerLines  = "newline-JSON over a pipe"
	peerSingle = "one message per record"
	peerStruct = "google.protobuf.Struct values"
	peerMap    = "map of typed values"
	peerJSON   = "JSON text rows"
)

// peerRows is how many records a message of those that batch has.
const peerRows = 1000

// peer moves records with one of the encodings.
type peer struct {
	kind    string
	pair    string
	batches int
}

func (p peer) do(ctx context.Context) (c cost, err error) {
	far, err := startChild(ctx, p.kind, p.pair)
	if err != nil {
		return cost{}, err
	}
	c, err = p.move(ctx, far)
	s, endErr := far.end()
	c.CPU += s.CPU
	c.Peaks = map[string]int64{"host": ownPeak(), "connector": s.Peak}
	return c, errors.Join(err, endErr)
}

func (p peer) move(ctx context.Context, far *child) (cost, error) {
	rows := records(sourceBatchOf(peerRows))
	if p.kind == peerLines {
		return timed(func() error { return lines(far, rows, p.batches) })
	}
	secure, err := mutual(p.pair)
	if err != nil {
		return cost{}, err
	}
	conn, err := grpc.NewClient("passthrough:///localhost", grpc.WithTransportCredentials(credentials.NewTLS(secure)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dialChild(ctx, far.socket) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return cost{}, err
	}
	defer conn.Close()
	stream, err := conn.NewStream(ctx, &exchange, exchangeMethod)
	if err != nil {
		return cost{}, err
	}
	if err := stream.SendMsg(&wrapperspb.BytesValue{}); err != nil { // wakes the far end up, so that the handshake does not count
		return cost{}, err
	}
	if err := stream.RecvMsg(&pb.Outcomes{}); err != nil {
		return cost{}, err
	}
	return timed(func() error { return p.exchange(stream, rows) })
}

// exchange sends all records while outcomes arrive.
func (p peer) exchange(stream grpc.ClientStream, rows [][]string) error {
	sent := make(chan error, 1)
	go func() {
		sent <- p.send(stream, rows)
	}()
	settled := 0
	for settled < p.batches*len(rows) {
		var o pb.Outcomes
		if err := stream.RecvMsg(&o); err != nil {
			return err
		}
		settled += len(o.GetSeqs())
	}
	if err := <-sent; err != nil {
		return err
	}
	if err := stream.RecvMsg(&pb.Outcomes{}); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the far end went on after all records were settled: %w", err)
	}
	return nil
}

func (p peer) send(stream grpc.ClientStream, rows [][]string) error {
	for range p.batches {
		if p.kind == peerSingle {
			for _, row := range rows {
				if err := stream.SendMsg(&pb.ColumnValues{Texts: row}); err != nil {
					return err
				}
			}
			continue
		}
		m, err := encodeRows(p.kind, rows)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(m); err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

// encodeRows makes the message of a batch.
func encodeRows(kind string, rows [][]string) (proto.Message, error) {
	switch kind {
	case peerStruct:
		m := &structpb.ListValue{}
		for _, row := range rows {
			s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(row))}
			for i, text := range row {
				s.Fields[fields[i].field] = structpb.NewStringValue(text)
			}
			m.Values = append(m.Values, structpb.NewStructValue(s))
		}
		return m, nil
	case peerMap:
		return encodeMaps(rows), nil
	}
	m := &pb.ColumnValues{}
	for _, row := range rows {
		text, err := json.Marshal(object(row))
		if err != nil {
			return nil, err
		}
		m.Texts = append(m.Texts, string(text))
	}
	return m, nil
}

// object is a record as a JSON object.
func object(row []string) map[string]any {
	o := make(map[string]any, len(row))
	for i, text := range row {
		o[fields[i].field] = text
	}
	return o
}

// peerFarEnd is the process at the other end.
func peerFarEnd(kind string, ready func()) error {
	if kind == peerLines {
		return linesFarEnd(ready)
	}
	secure, err := mutual(os.Getenv(childPair))
	if err != nil {
		return err
	}
	listener, err := net.Listen("unix", os.Getenv(childSocket))
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(secure)), grpc.MaxRecvMsgSize(16<<20))
	over := make(chan error, 1)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Peer", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Exchange", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			err := settleAll(kind, stream, ready)
			over <- err
			return err
		},
	}}}, nil)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end ends this process
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		return err
	}
	return <-over
}

var exchange = grpc.StreamDesc{StreamName: "Exchange", ServerStreams: true, ClientStreams: true}

const exchangeMethod = "/bench.Peer/Exchange"

// settleAll answers each record, having written it as CSV.
func settleAll(kind string, stream grpc.ServerStream, ready func()) error {
	if err := stream.RecvMsg(&wrapperspb.BytesValue{}); err != nil {
		return err
	}
	if err := stream.SendMsg(&pb.Outcomes{}); err != nil {
		return err
	}
	ready()
	var csv csvWriter
	var seq int64
	for {
		ids, err := receive(kind, stream, &csv)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		csv.drop()
		o := &pb.Outcomes{AppIdentifiers: ids}
		for range ids {
			seq++
			o.Seqs = append(o.Seqs, seq)
		}
		if err := stream.SendMsg(o); err != nil {
			return err
		}
	}
}

// receive takes one message apart and returns the identifiers of its records.
func receive(kind string, stream grpc.ServerStream, csv *csvWriter) (ids []string, err error) {
	switch kind {
	case peerStruct:
		var m structpb.ListValue
		if err := stream.RecvMsg(&m); err != nil {
			return nil, err
		}
		for _, v := range m.GetValues() {
			values := v.GetStructValue().GetFields()
			for _, f := range fields {
				csv.cell(values[f.field].GetStringValue())
			}
			csv.end()
			ids = append(ids, values[fields[0].field].GetStringValue())
		}
	case peerMap:
		var m wrapperspb.BytesValue
		if err := stream.RecvMsg(&m); err != nil {
			return nil, err
		}
		return decodeMaps(m.GetValue(), csv)
	case peerSingle:
		var m pb.ColumnValues
		if err := stream.RecvMsg(&m); err != nil {
			return nil, err
		}
		for _, text := range m.GetTexts() {
			csv.cell(text)
		}
		csv.end()
		ids = []string{m.GetTexts()[0]}
	default:
		var m pb.ColumnValues
		if err := stream.RecvMsg(&m); err != nil {
			return nil, err
		}
		for _, text := range m.GetTexts() {
			var o map[string]any
			if err := json.Unmarshal([]byte(text), &o); err != nil {
				return nil, err
			}
			ids = append(ids, objectCSV(o, csv))
		}
	}
	return ids, nil
}

func objectCSV(o map[string]any, csv *csvWriter) (id string) {
	for _, f := range fields {
		text, _ := o[f.field].(string)
		csv.cell(text)
	}
	csv.end()
	id, _ = o[fields[0].field].(string)
	return id
}

// verdict is the answer of the pipe for one record.
type verdict struct {
	Seq    int64  `json:"seq"`
	Status string `json:"status"`
	ID     string `json:"id"`
}

// lines writes a line of JSON for each record, and parses one for each outcome.
func lines(far *child, rows [][]string, batches int) error {
	written := make(chan error, 1)
	go func() {
		out := bufio.NewWriterSize(far.stdin, 64<<10)
		encoder := json.NewEncoder(out)
		for range batches {
			for _, row := range rows {
				if err := encoder.Encode(object(row)); err != nil {
					written <- err
					return
				}
			}
		}
		written <- errors.Join(out.Flush(), far.stdin.Close())
	}()
	settled := 0
	in := bufio.NewScanner(bufio.NewReaderSize(far.stdout, 64<<10))
	for in.Scan() {
		var v verdict
		if err := json.Unmarshal(in.Bytes(), &v); err != nil {
			return err
		}
		if v.Status == "SUCCEEDED" {
			settled++
		}
	}
	if err := cmpErr(in.Err(), <-written); err != nil || settled == batches*len(rows) {
		return err
	}
	return fmt.Errorf("%d of %d records are settled", settled, batches*len(rows))
}

func linesFarEnd(ready func()) error {
	ready()
	in := bufio.NewScanner(bufio.NewReaderSize(os.Stdin, 64<<10))
	in.Buffer(nil, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	encoder := json.NewEncoder(out)
	var csv csvWriter
	var seq int64
	for in.Scan() {
		var o map[string]any
		if err := json.Unmarshal(in.Bytes(), &o); err != nil {
			return err
		}
		seq++
		if err := encoder.Encode(verdict{Seq: seq, Status: "SUCCEEDED", ID: objectCSV(o, &csv)}); err != nil {
			return err
		}
		csv.drop()
	}
	return errors.Join(in.Err(), out.Flush(), os.Stdout.Close())
}

// measurePeers measures ours and the others in the same rounds.
func measurePeers(ctx context.Context, o options) ([]line, error) {
	pair, err := newPair()
	if err != nil {
		return nil, err
	}
	batches := max(4, int(o.few/peerRows/4))
	ours := boundary{mode: modeCSV, batches: batches, rows: peerRows}
	var others []subject
	for _, kind := range []string{peerLines, peerSingle, peerStruct, peerMap, peerJSON} {
		others = append(others, subject{kind, peer{kind: kind, pair: pair, batches: batches}.do})
	}
	lines, err := race(ctx, o.rounds, subject{"columns of text, " + strconv.Itoa(peerRows) + " a message", ours.do}, others...)
	if err != nil {
		return nil, err
	}
	best := 0
	for i := range lines {
		lines[i].Records, lines[i].Bytes = ours.records(), int64(batches)*textBytes(sourceBatchOf(peerRows))
		if lines[i].Ratio > lines[best].Ratio {
			best = i
		}
	}
	// Ours beside the best of them, with ours as the subject.
	first := lines[best]
	l := line{Stage: first.Limit, Limit: "the best of the others: " + first.Stage, Records: first.Records, Bytes: first.Bytes,
		Ours: first.Theirs, Theirs: first.Ours, Ratio: 1 / first.Ratio, Low: first.Low, High: first.High, Target: target{Least: 4}, Peaks: first.Theirs.Peaks}
	l.ByCPU = byCPU(l)
	if err := ours.explain(ctx, o, &l, "peers"); err != nil {
		return nil, err
	}
	return append([]line{l}, lines...), nil
}
