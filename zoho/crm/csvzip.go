package crm

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/flate"
)

// ErrZipFull is returned by [ZipWriter.WriteRow] when a row no longer fits. The row was not written: close this
// zip and begin another with it.
var ErrZipFull = errors.New("zoho crm: the zip is full")

// zipSlack bounds what the compressor may still hold back (two blocks of 64 KiB) and the zip's directory.
const zipSlack = 160 << 10

// csvBuffer is how many bytes of CSV are gathered before they are compressed.
const csvBuffer = 64 << 10

// ZipWriter writes rows as one CSV inside a zip, for bulk write, keeping Zoho's limits: 25,000 rows, 25 MB zipped, 200
// columns. It holds some 64 KiB whatever the number of rows and allocates nothing per row. It is not safe for concurrent
// use.
type ZipWriter struct {
	out     *countingWriter
	zip     *zip.Writer
	entry   io.Writer
	columns int
	buf     []byte
	rows    int
	csv     int64 // bytes handed to the compressor
	maxZip  int64
	err     error
}

// NewZipWriter begins a zip on w holding one CSV, name, whose first line is header.
func NewZipWriter(w io.Writer, name string, header []string) (*ZipWriter, error) {
	if name == "" || len(header) == 0 || len(header) > BulkWriteMaxColumns {
		return nil, argumentError(OpUpload, "a CSV needs a name and 1 to %d columns, not %d", BulkWriteMaxColumns, len(header))
	}
	z := &ZipWriter{out: &countingWriter{w: w}, columns: len(header), buf: make([]byte, 0, csvBuffer+8<<10), maxZip: BulkWriteMaxBytes}
	z.zip = zip.NewWriter(z.out)
	// Level 1 of this implementation is five times as fast as the default of archive/zip, for a zip a fifth larger.
	z.zip.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, 1) })
	var err error
	z.entry, err = z.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Unix(0, 0).UTC().AddDate(10, 0, 0)})
	if err != nil {
		return nil, fmt.Errorf("zoho crm: beginning the zip: %w", err)
	}
	for i, h := range header {
		if i > 0 {
			z.buf = append(z.buf, ',')
		}
		z.buf = appendHeaderCell(z.buf, h)
	}
	z.buf = append(z.buf, '\n')
	return z, nil
}

// WriteRow writes one row of as many cells as the header has. It returns [ErrZipFull] when the row does not fit; any other
// error is final.
func (z *ZipWriter) WriteRow(cells []string) error {
	if z.err != nil {
		return z.err
	}
	if len(cells) != z.columns {
		return argumentError(OpUpload, "a row of %d cells under a header of %d", len(cells), z.columns)
	}
	if z.rows >= BulkWriteMaxRows {
		return ErrZipFull
	}
	start := len(z.buf)
	for i, cell := range cells {
		if i > 0 {
			z.buf = append(z.buf, ',')
		}
		z.buf = AppendCSVCell(z.buf, cell)
	}
	// A line without a character would be skipped as blank, and the report would no longer match the rows.
	if len(z.buf) == start {
		z.buf = append(z.buf, `""`...)
	}
	z.buf = append(z.buf, '\n')
	if z.out.n+int64(len(z.buf))+zipSlack > z.maxZip {
		// Nearly full: what is buffered counts at its compressed size only once it is compressed.
		return z.settle(start)
	}
	z.rows++
	if len(z.buf) >= csvBuffer {
		return z.flush(len(z.buf))
	}
	return nil
}

// settle compresses the rows before the newest, which begins at start, and keeps the newest only if it still fits.
func (z *ZipWriter) settle(start int) error {
	if err := z.flush(start); err != nil {
		return err
	}
	if z.out.n+int64(len(z.buf))+zipSlack > z.maxZip {
		size := len(z.buf)
		z.buf = z.buf[:0]
		if z.rows == 0 {
			return &Error{Op: OpUpload, Code: "FILE_TOO_LARGE", Message: fmt.Sprintf("one row has %d bytes", size), CreditsRemaining: -1, NotSent: true}
		}
		return ErrZipFull
	}
	z.rows++
	return nil
}

// flush compresses the first n buffered bytes.
func (z *ZipWriter) flush(n int) error {
	if _, err := z.entry.Write(z.buf[:n]); err != nil {
		z.err = fmt.Errorf("zoho crm: writing the zip: %w", err)
		return z.err
	}
	z.csv += int64(n)
	z.buf = z.buf[:copy(z.buf, z.buf[n:])]
	return nil
}

// Rows returns the number of rows written, without the header.
func (z *ZipWriter) Rows() int { return z.rows }

// CSVBytes returns the bytes of CSV written so far, before compression.
func (z *ZipWriter) CSVBytes() int64 { return z.csv + int64(len(z.buf)) }

// ZipBytes returns the bytes that have reached the writer; after Close, the size of the zip.
func (z *ZipWriter) ZipBytes() int64 { return z.out.n }

// Close finishes the zip. It does not close the underlying writer.
func (z *ZipWriter) Close() error {
	if z.err != nil {
		return z.err
	}
	if err := z.flush(len(z.buf)); err != nil {
		return err
	}
	if err := z.zip.Close(); err != nil {
		z.err = fmt.Errorf("zoho crm: finishing the zip: %w", err)
		return z.err
	}
	z.err = errors.New("zoho crm: the zip is closed")
	return nil
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// AppendCSVCell appends a cell to b, quoted where RFC 4180 demands it and where outer spaces would be at risk.
func AppendCSVCell(b []byte, cell string) []byte {
	special := len(cell) > 0 && (cell[0] == ' ' || cell[len(cell)-1] == ' ')
	for i := 0; i < len(cell) && !special; i++ {
		special = needsQuote[cell[i]]
	}
	if !special {
		return append(b, cell...)
	}
	return appendQuoted(b, cell)
}

var needsQuote = [256]bool{',': true, '"': true, '\n': true, '\r': true, '\t': true}

func appendQuoted(b []byte, cell string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(cell); i++ {
		if cell[i] == '"' {
			b = append(b, cell[from:i+1]...)
			b = append(b, '"')
			from = i + 1
		}
	}
	b = append(b, cell[from:]...)
	return append(b, '"')
}

// appendHeaderCell also quotes the other delimiters (semicolon, colon, pipe), because Zoho guesses the delimiter from the
// header line.
func appendHeaderCell(b []byte, name string) []byte {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case ';', ':', '|':
			return appendQuoted(b, name)
		}
	}
	return AppendCSVCell(b, name)
}
