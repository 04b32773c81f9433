package zohosim

import (
	"archive/zip"
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// resultWriter writes the CSV of a bulk write result.
type resultWriter struct {
	out   *bufio.Writer
	cols  []*column
	v     Variants
	line  []byte
	lines [][]byte // only when shuffling
}

func newResult(w io.Writer, p *loadPlan, v Variants) *resultWriter {
	r := &resultWriter{out: bufio.NewWriterSize(w, 64<<10), cols: p.echoed(v.EchoColumnOrder), v: v}
	for _, c := range r.cols {
		r.line = append(appendCSV(r.line, c.name), ',')
	}
	_, _ = r.out.Write(append(r.line, "STATUS,RECORD_ID,ERRORS\n"...)) // bufio keeps the error until Flush
	return r
}

func (r *resultWriter) row(row []string, status string, id int64, errs *rowErrors) {
	if status == statusSkipped {
		if r.v.OmitSkipped {
			return
		}
		status = r.v.SkippedStatus
	}
	switch r.v.StatusCase {
	case "lower":
		status = strings.ToLower(status)
	case "title":
		status = status[:1] + strings.ToLower(status[1:])
	}
	b := r.line[:0]
	for _, c := range r.cols {
		text := ""
		if c.index < len(row) {
			text = row[c.index]
		}
		b = append(appendCSV(b, text), ',')
	}
	b = append(append(b, status...), ',')
	if id != 0 {
		b = append(b, itoa(id)...)
	}
	b = append(appendCSV(append(b, ','), errs.String()), '\n')
	r.line = b
	if r.v.ShuffleResult {
		r.lines = append(r.lines, append([]byte(nil), b...))
		return
	}
	_, _ = r.out.Write(b) // as above
}

func (r *resultWriter) close(s *Sim) error {
	s.rngMu.Lock()
	s.rng.Shuffle(len(r.lines), func(i, j int) { r.lines[i], r.lines[j] = r.lines[j], r.lines[i] })
	s.rngMu.Unlock()
	for _, b := range r.lines {
		_, _ = r.out.Write(b) // as above
	}
	return r.out.Flush()
}

// unprocessed writes the result of a job that failed before its first row, for the variant that has one: every row of
// the upload, not processed. It returns no path when it cannot.
func (s *Sim) unprocessed(j *job) string {
	path := filepath.Join(s.dir, "write-"+j.id+".zip")
	f, err := os.Create(path)
	if err != nil {
		return ""
	}
	z := newZip(f)
	for _, p := range j.write.plans {
		err = errors.Join(err, s.unprocessedRows(z, p, j.write.conf.Variants))
	}
	if err = errors.Join(err, z.Close(), f.Close()); err != nil {
		return ""
	}
	return path
}

func (s *Sim) unprocessedRows(z *zip.Writer, p *loadPlan, v Variants) error {
	o, err := openEntry(p.file.path, p.entry)
	if err != nil {
		return err
	}
	defer o.Close()
	if _, err = o.csv.Read(); err != nil { // header
		return err
	}
	entry, err := z.Create(p.table.APIName + "-" + filepath.Base(p.entry))
	if err != nil {
		return err
	}
	out := newResult(entry, p, v)
	for {
		row, err := o.csv.Read()
		if err == io.EOF {
			return out.close(s)
		}
		if err != nil {
			return err
		}
		out.row(row, "UNPROCESSED", 0, &rowErrors{})
	}
}
