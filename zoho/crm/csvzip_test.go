package crm

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// unzip returns the name and content of the only entry, read with the standard library.
func unzip(t testing.TB, b []byte) (string, string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil || len(z.File) != 1 {
		t.Fatalf("not a zip of one file: %v", err)
	}
	r, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return z.File[0].Name, string(content)
}

func TestZipWriterWritesWhatAnyCSVReaderReads(t *testing.T) {
	rows := [][]string{
		{"Email", "Name", "Note: a|b"},
		{"a@example.com", "Ray", ""},
		{"", "", ""},
		{`say "hi"`, "a,b", "two\nlines"},
		{" outer ", "tab\t", "日本, ünï"},
		{`"`, `""`, "\r"},
	}
	var b bytes.Buffer
	z, err := NewZipWriter(&b, "leads.csv", rows[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		if err := z.WriteRow(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	name, content := unzip(t, b.Bytes())
	if name != "leads.csv" || z.Rows() != 5 || z.CSVBytes() != int64(len(content)) || z.ZipBytes() != int64(b.Len()) {
		t.Errorf("%s: %d rows, %d and %d bytes counted; %d and %d written", name, z.Rows(), z.CSVBytes(), z.ZipBytes(), len(content), b.Len())
	}
	if !strings.HasPrefix(content, `Email,Name,"Note: a|b"`+"\n") {
		t.Errorf("header is %q", content[:30])
	}
	got, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows[5][2] = "\r"
	for i := range rows {
		if !slices.Equal(got[i], rows[i]) {
			t.Errorf("row %d: got %q, want %q", i, got[i], rows[i])
		}
	}
	if err := z.WriteRow(rows[1]); err == nil {
		t.Error("a closed zip takes rows")
	}
}

func TestZipWriterWritesNoBlankLine(t *testing.T) {
	var b bytes.Buffer
	z, _ := NewZipWriter(&b, "x.csv", []string{"Only"})
	for _, cell := range []string{"1", "", "2"} {
		if err := z.WriteRow([]string{cell}); err != nil {
			t.Fatal(err)
		}
	}
	_ = z.Close()
	if _, content := unzip(t, b.Bytes()); content != "Only\n1\n\"\"\n2\n" {
		t.Errorf("got %q", content)
	}
}

func TestZipWriterStopsAtTheRowLimit(t *testing.T) {
	z, _ := NewZipWriter(io.Discard, "x.csv", []string{"A", "B"})
	row := []string{"1", "2"}
	for range BulkWriteMaxRows {
		if err := z.WriteRow(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.WriteRow(row); !errors.Is(err, ErrZipFull) {
		t.Errorf("row 25,001 gives %v", err)
	}
	if err := z.Close(); err != nil || z.Rows() != BulkWriteMaxRows {
		t.Errorf("%d rows, %v", z.Rows(), err)
	}
}

// noise does not compress.
func noise(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + 1 + r.IntN(94))
	}
	return string(b)
}

func TestZipWriterStopsAtTheByteLimit(t *testing.T) {
	for name, c := range map[string]struct {
		cell func(i int) string
		full float64 // share of the bound that must be used
	}{
		"incompressible": {func(i int) string { return noise(5000, uint64(i)) }, 0.9},
		"mixed":          {func(i int) string { return noise(2000, uint64(i)) + strings.Repeat("zoho ", 2000) }, 0.8},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			z, _ := NewZipWriter(&b, "x.csv", []string{"A"})
			z.maxZip = 2 << 20
			n := 0
			for {
				err := z.WriteRow([]string{c.cell(n)})
				if errors.Is(err, ErrZipFull) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			if z.Rows() != n || z.ZipBytes() > z.maxZip || float64(z.ZipBytes()) < c.full*float64(z.maxZip) {
				t.Errorf("%d of %d rows in %d bytes of %d", z.Rows(), n, z.ZipBytes(), z.maxZip)
			}
			_, content := unzip(t, b.Bytes())
			if got, err := csv.NewReader(strings.NewReader(content)).ReadAll(); err != nil || len(got) != n+1 {
				t.Errorf("%d lines, %v", len(got), err)
			}
		})
	}
}

func TestZipWriterRefusesARowLargerThanAZip(t *testing.T) {
	z, _ := NewZipWriter(io.Discard, "x.csv", []string{"A"})
	z.maxZip = 1 << 20
	err := z.WriteRow([]string{noise(2<<20, 1)})
	if ErrorCode(err) != "FILE_TOO_LARGE" || errors.Is(err, ErrZipFull) {
		t.Errorf("got %v", err)
	}
	if err := z.WriteRow([]string{"small"}); err != nil {
		t.Errorf("the next row: %v", err)
	}
	if err := z.WriteRow([]string{"a", "b"}); ErrorCode(err) != CodeInvalidArgument {
		t.Errorf("too many cells: %v", err)
	}
}

func TestZipWriterReportsItsWriter(t *testing.T) {
	broken := errors.New("disk full")
	z, _ := NewZipWriter(writerFunc(func([]byte) (int, error) { return 0, broken }), "x.csv", []string{"A"})
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = z.WriteRow([]string{noise(5000, uint64(i))})
	}
	if !errors.Is(err, broken) || !errors.Is(z.Close(), broken) {
		t.Errorf("got %v", err)
	}
	if _, err := NewZipWriter(io.Discard, "x.csv", make([]string, 201)); err == nil {
		t.Error("201 columns are accepted")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWriteRowAllocatesNothing(t *testing.T) {
	z, _ := NewZipWriter(io.Discard, "x.csv", []string{"A", "B"})
	row := []string{"plain", `quo"ted, cell`}
	if n := testing.AllocsPerRun(2000, func() {
		if err := z.WriteRow(row); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per row", n)
	}
}
