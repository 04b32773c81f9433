package crm

import (
	"archive/zip"
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
	csv     *csvReader
	header  []string // nil when the CSV is empty
	rows    int64
}

// guard bounds the bytes that all entries inflate to.
type guard struct {
	r    io.Reader
	left *int64
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if *g.left -= int64(n); *g.left < 0 {
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
	t := &table{archive: a, entry: entry, csv: newCSVReader(&guard{r: entry, left: &a.bound})}
	var first []string
	if err = t.csv.skipMark(); err == nil {
		first, err = t.csv.read()
	}
	if err == io.EOF {
		return t, nil
	}
	if err != nil {
		_ = entry.Close()
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

func (t *table) Close() error { return t.entry.Close() }
