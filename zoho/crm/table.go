package crm

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
)

// maxCSVRecord bounds one record of a CSV. A stray quote would otherwise gather the rest of the file in memory.
const maxCSVRecord = 16 << 20

var errInflated = errors.New("the zip inflates beyond its bound")

// table reads one CSV entry of an archive.
type table struct {
	archive *archive
	entry   io.ReadCloser
	ahead   *ahead
	csv     *csvReader
	header  []string // nil when the CSV is empty
	rows    int64
}

// guard bounds the bytes that all entries inflate to.
type guard struct {
	r    io.Reader
	left *atomic.Int64
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if g.left.Add(-int64(n)) < 0 {
		return 0, errInflated
	}
	return n, err
}

// table opens an entry and reads its header. A UTF-8 byte order mark is dropped.
func (a *archive) table(f *zip.File) (*table, error) {
	entry, err := f.Open()
	if err != nil {
		return nil, a.fail(CodeBadArchive, err)
	}
	inflated := newAhead(&guard{r: entry, left: &a.bound})
	t := &table{archive: a, entry: entry, ahead: inflated, csv: newCSVReader(inflated)}
	var first []string
	if err = t.csv.skipMark(); err == nil {
		first, err = t.csv.read()
	}
	if err == io.EOF {
		return t, nil
	}
	if err != nil {
		_ = t.Close() // what is wrong with the file is what counts
		return nil, t.fail(err)
	}
	t.header = slices.Clone(first) // the strings stay as they are; only the slice is used again
	return t, nil
}

// next returns the next row, valid until the one after; io.EOF at the end.
func (t *table) next() ([]string, error) {
	if t.header == nil {
		return nil, io.EOF
	}
	row, err := t.csv.read()
	if err == io.EOF {
		return nil, err
	}
	if err != nil {
		return nil, t.fail(err)
	}
	t.rows++
	return row, nil
}

// fail classifies what went wrong.
func (t *table) fail(err error) error {
	code := CodeBadArchive
	if errors.Is(err, errInflated) {
		code = CodeDownloadLimit
	}
	return t.archive.fail(code, fmt.Errorf("after row %d: %w", t.rows, err))
}

func (t *table) Close() error {
	t.ahead.Close()
	return t.entry.Close()
}
