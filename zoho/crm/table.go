package crm

import (
	"archive/zip"
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxCSVRecord bounds one record of a CSV. A stray quote would otherwise gather the rest of the file in memory.
const maxCSVRecord = 16 << 20

var errInflated = errors.New("the zip inflates beyond its bound")

// table reads one CSV entry of an archive.
type table struct {
	archive *archive
	entry   io.ReadCloser
	guard   *guard
	returns *returnKeeper
	csv     *csv.Reader
	header  []string // nil when the CSV is empty
	rows    int64
}

// guard bounds inflated bytes in all, and since the last record.
type guard struct {
	r       io.Reader
	left    *int64
	read    int64
	allowed int64
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	g.read += int64(n)
	if *g.left -= int64(n); *g.left < 0 {
		return 0, errInflated
	}
	if g.read > g.allowed {
		return 0, fmt.Errorf("a record is longer than %d bytes", maxCSVRecord)
	}
	return n, err
}

// table opens an entry and reads its header. A UTF-8 byte order mark is dropped.
func (a *archive) table(f *zip.File) (*table, error) {
	entry, err := f.Open()
	if err != nil {
		return nil, a.fail(CodeBadArchive, err)
	}
	t := &table{archive: a, entry: entry, guard: &guard{r: entry, left: &a.bound, allowed: maxCSVRecord}}
	t.returns = &returnKeeper{r: t.guard}
	in := bufio.NewReaderSize(t.returns, 64<<10) // package csv uses it as it is
	if mark, err := in.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = in.Discard(3)
	}
	t.csv = csv.NewReader(in)
	t.csv.ReuseRecord = true
	first, err := t.csv.Read()
	if err == io.EOF {
		return t, nil
	}
	if err != nil {
		_ = entry.Close()
		return nil, t.fail(err)
	}
	t.returns.restore(first)
	t.header = slices.Clone(first) // the strings stay as they are; only the slice is used again
	return t, nil
}

// next returns the next row, valid until the one after; io.EOF at the end.
func (t *table) next() ([]string, error) {
	if t.header == nil {
		return nil, io.EOF
	}
	t.guard.allowed = t.csv.InputOffset() + maxCSVRecord
	row, err := t.csv.Read()
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		return nil, t.fail(err)
	}
	t.rows++
	t.returns.restore(row)
	return row, nil
}

// fail classifies what went wrong. Errors of package csv name line and column and quote no content.
func (t *table) fail(err error) error {
	code := CodeBadArchive
	if errors.Is(err, errInflated) {
		code = CodeDownloadLimit
	}
	return t.archive.fail(code, fmt.Errorf("after row %d: %w", t.rows, err))
}

func (t *table) Close() error { return t.entry.Close() }
