package crm

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/flate"
)

// benchRows are 25,000 rows of 18 columns, some 300 bytes each.
func benchRows() ([]string, [][]string) {
	header := make([]string, 18)
	for i := range header {
		header[i] = fmt.Sprintf("Field_%d", i)
	}
	rows := make([][]string, BulkWriteMaxRows)
	for i := range rows {
		row := make([]string, len(header))
		for j := range row {
			switch j % 6 {
			case 0:
				row[j] = fmt.Sprintf("57000000000%08d", i*31+j)
			case 1:
				row[j] = fmt.Sprintf("person%d@example%d.com", i, i%97)
			case 2:
				row[j] = fmt.Sprintf("Street %d, Floor %d", i%811, j)
			case 3:
				row[j] = "2026-01-31T12:00:00+00:00"
			case 4:
				row[j] = fmt.Sprintf("%d.%02d", i*7919%100_000, j)
			case 5:
				row[j] = []string{"Trade Show", "", "Web \"form\"", "Partner"}[(i+j)%4]
			}
		}
		rows[i] = row
	}
	return header, rows
}

func csvOf(header []string, rows [][]string) []byte {
	var b []byte
	for _, row := range append([][]string{header}, rows...) {
		for j, c := range row {
			if j > 0 {
				b = append(b, ',')
			}
			b = AppendCSVCell(b, c)
		}
		b = append(b, '\n')
	}
	return b
}

// BenchmarkZipWriter compares writing rows into a zip with compressing the same CSV alone; the quotient of the two is the
// price of everything else.
func BenchmarkZipWriter(b *testing.B) {
	header, rows := benchRows()
	content := csvOf(header, rows)
	b.Run("rows to zip", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		b.ReportAllocs()
		for b.Loop() {
			z, err := NewZipWriter(io.Discard, "x.csv", header)
			if err != nil {
				b.Fatal(err)
			}
			for _, r := range rows {
				if err := z.WriteRow(r); err != nil {
					b.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("deflate alone", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			w, err := flate.NewWriter(io.Discard, 1)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := w.Write(content); err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds(), "rows/s")
	})
}

// BenchmarkRows compares reading the rows of a result zip with inflating it alone.
func BenchmarkRows(b *testing.B) {
	header, rows := benchRows()
	header[0] = "Id"
	var buf bytes.Buffer
	z, err := NewZipWriter(&buf, "1.csv", header)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range rows {
		if err := z.WriteRow(r); err != nil {
			b.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("zip to rows", func(b *testing.B) {
		b.SetBytes(z.csv)
		b.ReportAllocs()
		a := archiveOf(b, buf.Bytes())
		defer func() { _ = a.Close() }()
		bound := a.bound.Load()
		for b.Loop() {
			a.bound.Store(bound)
			r, err := newRows(a, int64(len(rows)))
			if err != nil {
				b.Fatal(err)
			}
			for _, err := range r.All() {
				if err != nil {
					b.Fatal(err)
				}
			}
			if r.Count() != int64(len(rows)) {
				b.Fatalf("%d rows", r.Count())
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("inflate alone", func(b *testing.B) {
		b.SetBytes(z.csv)
		a := archiveOf(b, buf.Bytes())
		defer func() { _ = a.Close() }()
		for b.Loop() {
			r, err := a.zip.File[0].Open()
			if err != nil {
				b.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != z.csv {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.N)*float64(len(rows))/b.Elapsed().Seconds(), "rows/s")
	})
}
