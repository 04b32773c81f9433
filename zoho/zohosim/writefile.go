package zohosim

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"encoding/csv"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	kflate "github.com/klauspost/compress/flate"
)

// openCSV is a CSV entry of an uploaded zip being read.
type openCSV struct {
	zip   *zip.ReadCloser
	entry io.ReadCloser
	csv   *csv.Reader
}

func (o *openCSV) Close() error { return errors.Join(o.entry.Close(), o.zip.Close()) }

// csvEntries lists the CSV files of a zip.
func csvEntries(z *zip.Reader) []*zip.File {
	var list []*zip.File
	for _, f := range z.File {
		if strings.EqualFold(path.Ext(f.Name), ".csv") && !strings.HasPrefix(path.Base(f.Name), ".") && !strings.HasPrefix(f.Name, "__MACOSX") {
			list = append(list, f)
		}
	}
	return list
}

// inspect finds the entry a resource means and counts its rows. Without names, or for a plain module, the zip must
// hold exactly one CSV.
func inspect(file string, names []string, family bool) (entry string, header []string, rows int, fault *apiError) {
	entry, fault = pickEntry(file, names, family)
	if fault != nil {
		return "", nil, 0, fault
	}
	o, err := openEntry(file, entry)
	if err != nil {
		return "", nil, 0, errFile()
	}
	defer o.Close()
	first, err := o.csv.Read()
	if err != nil {
		return "", nil, 0, errFile()
	}
	header = slices.Clone(first)
	for {
		if _, err = o.csv.Read(); err == io.EOF {
			return entry, header, rows, nil
		}
		if err != nil {
			return "", nil, 0, errFile()
		}
		rows++
	}
}

func pickEntry(file string, names []string, family bool) (string, *apiError) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return "", errFile()
	}
	defer z.Close()
	list := csvEntries(&z.Reader)
	if len(list) == 0 || len(list) > 1 && !family {
		return "", errFile()
	}
	if len(names) == 0 {
		return list[0].Name, nil
	}
	for _, f := range list {
		if f.Name == names[0] || path.Base(f.Name) == names[0] {
			return f.Name, nil
		}
	}
	return "", bad("FILE_NOT_FOUND", "the file name given is not in the zip")
}

// openEntry opens one CSV: byte order mark dropped, delimiter found from the header line.
func openEntry(file, entry string) (*openCSV, error) {
	z, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	z.RegisterDecompressor(zip.Deflate, kflate.NewReader)
	rc, err := z.Open(entry)
	if err != nil {
		return nil, errors.Join(err, z.Close())
	}
	return &openCSV{zip: z, entry: rc, csv: newCSV(rc)}, nil
}

func newCSV(r io.Reader) *csv.Reader {
	b := bufio.NewReaderSize(r, 64<<10)
	if bom, err := b.Peek(3); err == nil && string(bom) == "\ufeff" {
		_, _ = b.Discard(3) // just peeked
	}
	line, _ := b.Peek(b.Size()) // a short file gives what there is
	cr := csv.NewReader(&returns{r: b})
	cr.Comma = delimiter(string(line))
	cr.ReuseRecord, cr.FieldsPerRecord = true, -1
	return cr
}

// returns keeps carriage returns before line feeds within quotes, which package csv drops: it doubles them.
type returns struct {
	r      *bufio.Reader
	quoted bool
	last   byte
}

func (k *returns) Read(p []byte) (n int, err error) {
	for n < len(p) && (n == 0 || k.r.Buffered() > 0) {
		c, err := k.r.ReadByte()
		if err != nil {
			return n, err
		}
		switch {
		case c == '"':
			k.quoted = !k.quoted
		case c == '\n' && k.last == '\r' && k.quoted:
			c = '\r' // and the line feed comes next
			if err := k.r.UnreadByte(); err != nil {
				return n, err
			}
			k.last = 0
			p[n] = c
			n++
			continue
		}
		p[n], k.last = c, c
		n++
	}
	return n, nil
}

// delimiter picks the commonest of comma, semicolon, colon and pipe in the header line, comma on a draw.
func delimiter(head string) rune {
	line, _, _ := strings.Cut(head, "\n")
	best, most := ',', strings.Count(line, ",")
	for _, d := range ";:|" {
		if n := strings.Count(line, string(d)); n > most {
			best, most = d, n
		}
	}
	return best
}

// newZip writes a zip with fast compression.
func newZip(w io.Writer) *zip.Writer {
	z := zip.NewWriter(w)
	z.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return kflate.NewWriter(out, flate.BestSpeed) })
	return z
}

// appendCSV appends one field, quoted when it must be.
func appendCSV(dst []byte, s string) []byte {
	if s != "" && s[0] != ' ' && s[0] != '\t' && !strings.ContainsAny(s, ",\"\r\n") {
		return append(dst, s...)
	}
	if s == "" {
		return dst
	}
	dst = append(dst, '"')
	for {
		head, tail, more := strings.Cut(s, `"`)
		dst = append(dst, head...)
		if !more {
			return append(dst, '"')
		}
		dst = append(dst, '"', '"')
		s = tail
	}
}
