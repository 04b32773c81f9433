package plugin

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
)

// wide is a batch of 1,000 rows in ten columns, about 300 bytes a row.
func wide(first int64) *connector.RecordBatch {
	const rows, columns = 1000, 10
	b := &connector.RecordBatch{Schema: &connector.Schema{ID: "wide"}, Action: connector.ActionCreate, Rows: rows}
	for c := range columns {
		b.Schema.Columns = append(b.Schema.Columns, connector.Column{Name: "c" + strconv.Itoa(c), Type: connector.Type{Kind: connector.KindString}})
		texts := make([]string, rows)
		for i := range texts {
			texts[i] = "value of a field, " + strconv.Itoa(c*rows+i)
		}
		b.Columns = append(b.Columns, connector.Values{Texts: texts})
	}
	for i := range int64(rows) {
		b.Seqs = append(b.Seqs, first+i)
		b.Identifiers = append(b.Identifiers, strconv.FormatInt(first+i, 10))
	}
	return b
}

// meter is a host that sends the same texts until it has sent enough.
type meter struct {
	hostFake
	template *connector.RecordBatch
	left     int
	next     int64
	settled  int64
}

func (m *meter) Next(context.Context) (*connector.RecordBatch, error) {
	if m.left == 0 {
		return nil, io.EOF
	}
	m.left--
	b := *m.template
	b.Seqs = make([]int64, b.Rows)
	for i := range b.Seqs {
		b.Seqs[i] = m.next
		m.next++
	}
	return &b, nil
}

func (m *meter) Settle(_ context.Context, o connector.Outcomes) error {
	m.settled += int64(len(o.Seqs))
	return nil
}

func (m *meter) Ticket(context.Context, connector.Ticket) error { return nil }

// BenchmarkBoundary measures records through a connector process, with an
// outcome and an app identifier for each, beside a plain copy of the same bytes
// through a Unix socket in the same run. Ratios can be compared between
// machines; records a second cannot.
func BenchmarkBoundary(b *testing.B) {
	template := wide(0)
	message, err := wire.OutboundBatch(template)
	if err != nil {
		b.Fatal(err)
	}
	size := proto.Size(message)
	var raw, through float64 // seconds a batch
	b.Run("socket", func(b *testing.B) {
		b.SetBytes(int64(size))
		copySocket(b, size)
		raw = b.Elapsed().Seconds() / float64(b.N)
	})
	b.Run("process", func(b *testing.B) {
		path, err := os.Executable()
		if err != nil {
			b.Fatal(err)
		}
		p, err := Launch(b.Context(), LaunchConfig{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		defer p.Close()
		session, err := p.Open(b.Context(), connection(""))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(size))
		b.ReportAllocs()
		m := &meter{template: template, left: b.N}
		b.ResetTimer()
		if err := session.(connector.Outbound).SyncOutbound(b.Context(), outboundSync(), m); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if want := int64(b.N) * int64(template.Rows); m.settled != want {
			b.Fatalf("%d of %d records are settled", m.settled, want)
		}
		through = b.Elapsed().Seconds() / float64(b.N)
		b.ReportMetric(float64(template.Rows)/through, "records/s")
		if raw > 0 {
			b.ReportMetric(through/raw, "times-socket")
		}
	})
}

// copySocket sends b.N messages through a Unix socket.
func copySocket(b *testing.B, size int) {
	listener, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	var receiving sync.WaitGroup
	var received int64
	receiving.Go(func() {
		conn, err := listener.Accept()
		if err != nil {
			return // the count below says so
		}
		defer conn.Close()
		received, _ = io.Copy(io.Discard, conn)
	})
	conn, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, size)
	b.ResetTimer()
	for range b.N {
		if _, err := conn.Write(message); err != nil {
			b.Fatal(err)
		}
	}
	_ = conn.Close()
	receiving.Wait()
	b.StopTimer()
	if received != int64(b.N)*int64(size) {
		b.Fatalf("%d bytes arrived", received)
	}
}
