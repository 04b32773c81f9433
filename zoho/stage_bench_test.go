package zoho

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// stageFields are ten fields of an account, about 230 bytes a record.
var stageFields = []struct {
	crm.Field
	text func(i int) string
}{
	{crm.Field{APIName: "External_Key", DataType: "text"}, func(i int) string { return fmt.Sprintf("C%09d", i) }},
	{crm.Field{APIName: "Account_Name", DataType: "text"}, func(i int) string {
		return fmt.Sprintf("Company %d & Söhne, %s", i, []string{"Berlin", "Łódź", "東京", "Chennai"}[i%4])
	}},
	{crm.Field{APIName: "Website", DataType: "website"}, func(i int) string { return fmt.Sprintf("https://company%d.example.org/", i) }},
	{crm.Field{APIName: "Phone", DataType: "phone"}, func(i int) string { return fmt.Sprintf("+49 30 %07d", i*7919%10000000) }},
	{crm.Field{APIName: "Billing_City", DataType: "text"}, func(i int) string { return fmt.Sprintf("City %d", i%5000) }},
	{crm.Field{APIName: "Billing_Country", DataType: "text"}, func(i int) string { return fmt.Sprintf("Country %d", i%200) }},
	{crm.Field{APIName: "Billing_Street", DataType: "text"}, func(i int) string { return fmt.Sprintf("Street %d No. %d", i*31%90000, i%300) }},
	{crm.Field{APIName: "Employees", DataType: "integer"}, func(i int) string { return strconv.Itoa(i % 50000) }},
	{crm.Field{APIName: "Annual_Revenue", DataType: "currency"}, func(i int) string { return fmt.Sprintf("%d.%02d", i*7919%1000000, i*7919%100) }},
	{crm.Field{APIName: "Description", DataType: "textarea"}, func(i int) string {
		if i%3 == 0 {
			return ""
		}
		return fmt.Sprintf("Said %q, wants an offer for %d", "hello", i)
	}},
}

// stageChunk is a chunk of a bulk job, with a plan for it.
func stageChunk() (*plan, *connector.RecordBatch, []int, []int) {
	p := &plan{strategy: "Upsert"}
	b := &connector.RecordBatch{Schema: &connector.Schema{ID: "s"}, Rows: crm.BulkWriteMaxRows}
	var at []int
	for c, f := range stageFields {
		t := target{name: f.APIName, field: f.Field}
		t.render(time.UTC)
		p.columns, at = append(p.columns, t), append(at, c)
		b.Schema.Columns = append(b.Schema.Columns, connector.Column{Name: f.APIName, Type: typeOf(f.Field)})
		v := connector.Values{}
		for i := range b.Rows {
			v.Texts = append(v.Texts, f.text(i))
		}
		b.Columns = append(b.Columns, v)
	}
	rows := make([]int, b.Rows)
	for i := range rows {
		rows[i] = i
	}
	return p, b, at, rows
}

// stageTimes are what the rounds of a stage took, limit, stage, limit each time:
// b.N is the number of rounds, and what is reported are medians.
type stageTimes struct{ ratio, control, ours, limit, cpu, limitCPU []float64 }

// spent measures wall and CPU time of repeats of do, in seconds.
func spent(b *testing.B, repeats int, do func() error) (wall, cpu float64) {
	b.Helper()
	start, before := time.Now(), cpuSeconds()
	for range repeats {
		if err := do(); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start).Seconds(), cpuSeconds() - before
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

// stage runs the rounds and reports them under the names that the bench program
// reads.
func stage(b *testing.B, records, size int, prepare func(), ours, limit func() error) {
	const repeats = 4
	var t stageTimes
	for b.Loop() {
		for range repeats {
			prepare() // is not measured
		}
		first, cpu1 := spent(b, repeats, limit)
		wall, cpu := spent(b, repeats, ours)
		last, cpu2 := spent(b, repeats, limit)
		t.ratio, t.control = append(t.ratio, (first+last)/2/wall), append(t.control, first/last)
		t.ours, t.cpu = append(t.ours, wall), append(t.cpu, cpu)
		t.limit, t.limitCPU = append(t.limit, first, last), append(t.limitCPU, cpu1, cpu2)
	}
	middle := func(all []float64) float64 { slices.Sort(all); return all[len(all)/2] }
	b.ReportMetric(float64(records*repeats), "records")
	b.ReportMetric(float64(size*repeats), "bytes")
	b.ReportMetric(middle(t.ratio), "ratio")
	b.ReportMetric(slices.Min(t.control), "control-low")
	b.ReportMetric(slices.Max(t.control), "control-high")
	b.ReportMetric(middle(t.ours), "seconds")
	b.ReportMetric(middle(t.limit), "limit-seconds")
	b.ReportMetric(middle(t.cpu), "cpu-seconds")
	b.ReportMetric(middle(t.limitCPU), "limit-cpu-seconds")
	b.ReportMetric(float64(peakBytes()), "peak-bytes")
}

// peakBytes is the most memory this process had, 0 where nobody says.
func peakBytes() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kib), "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}

// BenchmarkStageOut packs columns into a CSV in a zip, beside deflate alone of
// the same CSV.
func BenchmarkStageOut(b *testing.B) {
	p, batch, at, rows := stageChunk()
	packed, _, err := p.pack(batch, at, rows)
	if err != nil {
		b.Fatal(err)
	}
	content := unzipped(b, packed.zip)
	stage(b, batch.Rows, len(content), func() {}, func() error {
		f, problems, err := p.pack(batch, at, rows)
		if err == nil && (len(problems) > 0 || len(f.rows) != batch.Rows) {
			err = errors.New("rows are missing")
		}
		return err
	}, func() error {
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, 1)
		if err != nil {
			return err
		}
		_, err = w.Write(content)
		return errors.Join(err, w.Close())
	})
}

// BenchmarkStageIn reads the rows of a result into typed columns, beside inflate
// alone of the same zip. The download is not measured.
func BenchmarkStageIn(b *testing.B) {
	p, batch, at, rows := stageChunk()
	p.columns[0].name, p.columns[0].cell = "Id", plainCell
	packed, _, err := p.pack(batch, at, rows)
	if err != nil {
		b.Fatal(err)
	}
	file, size, count := packed.zip, len(unzipped(b, packed.zip)), batch.Rows
	packed, batch = nil, nil // a connector that reads has no chunk in memory
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(file) }))
	defer server.Close()
	client, err := crm.New(crm.WithEndpoint(server.URL), crm.WithTempDir(b.TempDir()))
	if err != nil {
		b.Fatal(err)
	}
	job := crm.BulkReadJob{ID: "1", State: crm.JobCompleted, Count: int64(count), DownloadURL: "/crm/bulk/v8/read/1/result"}
	g := &reading{module: crm.Module{APIName: "Accounts"}, zone: time.UTC}
	for _, f := range stageFields[1:] {
		g.fields = append(g.fields, f.Field)
	}
	var opened []*crm.Rows
	sink := &counting{fakeHost: newHost()}
	managed := connector.ManagedInbound{Read: func(ctx context.Context, _ connector.StreamSelection, out *connector.StreamWriter) (string, error) {
		g.out = out
		stage(b, count, size, func() {
			r, err := client.OpenBulkRead(ctx, job)
			if err != nil {
				b.Fatal(err)
			}
			opened = append(opened, r)
		}, func() error {
			r := opened[0]
			opened = opened[1:]
			return errors.Join(g.rows(ctx, job, r), r.Close())
		}, func() error {
			z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
			if err != nil {
				return err
			}
			z.RegisterDecompressor(zip.Deflate, flate.NewReader)
			f, err := z.File[0].Open()
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, f)
			return errors.Join(err, f.Close())
		})
		return `{}`, nil
	}}
	if err := managed.Run(b.Context(), connector.InboundSync{Streams: []connector.StreamSelection{{Name: "Accounts", Mode: connector.ReadFullRefresh}}}, sink); err != nil {
		b.Fatal(err)
	}
}

// unzipped is the content of the only file of a zip.
func unzipped(b *testing.B, packed []byte) []byte {
	b.Helper()
	z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		b.Fatal(err)
	}
	f, err := z.File[0].Open()
	if err != nil {
		b.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		b.Fatal(err)
	}
	return content
}
