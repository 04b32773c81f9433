package crm

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
)

// RowStatus is what became of a row of a bulk write job.
type RowStatus string

// The statuses, normalised: Zoho's pages write them in lower case, its files in upper case.
const (
	RowAdded       RowStatus = "added"
	RowUpdated     RowStatus = "updated"
	RowSkipped     RowStatus = "skipped"
	RowUnprocessed RowStatus = "unprocessed"
	RowUnknown     RowStatus = "unknown" // a spelling never seen; not a success
)

// OK reports whether the record is in Zoho as the row says.
func (s RowStatus) OK() bool { return s == RowAdded || s == RowUpdated }

func rowStatus(raw string) RowStatus {
	for _, s := range []RowStatus{RowAdded, RowUpdated, RowSkipped, RowUnprocessed} {
		if strings.EqualFold(strings.TrimSpace(raw), string(s)) {
			return s // not raw, which would keep the whole row
		}
	}
	return RowUnknown
}

// FieldError is one reason why a row was not written.
type FieldError struct {
	Code    string   // MANDATORY_NOT_FOUND, INVALID_DATA, DUPLICATE_DATA, NOT_APPROVED, BLOCKED_RECORD...
	Columns []string // columns concerned, as the CSV names them; may be empty
}

// String writes the reason as Zoho does: CODE-column,column.
func (e FieldError) String() string {
	if len(e.Columns) == 0 {
		return e.Code
	}
	return e.Code + "-" + strings.Join(e.Columns, ",")
}

// ParseRowErrors reads the ERRORS cell of a report: reasons separated by colons, each CODE or CODE-column,column. A colon
// that is followed by no code belongs to the column before it.
func ParseRowErrors(cell string) []FieldError {
	var out []FieldError
	for part := range strings.SplitSeq(cell, ":") {
		code, columns, found := strings.Cut(part, "-")
		code = strings.TrimSpace(code)
		if !isCode(code) {
			out = continueColumn(out, part)
			continue
		}
		e := FieldError{Code: code}
		if found && columns != "" {
			e.Columns = strings.Split(columns, ",")
		}
		out = append(out, e)
	}
	return out
}

// continueColumn gives a part that starts with no code back to the column whose name was split at a colon.
func continueColumn(errs []FieldError, part string) []FieldError {
	if strings.TrimSpace(part) == "" {
		return errs
	}
	if len(errs) == 0 || len(errs[len(errs)-1].Columns) == 0 {
		return append(errs, FieldError{Code: "UNKNOWN", Columns: []string{strings.TrimSpace(part)}})
	}
	last := errs[len(errs)-1].Columns
	last[len(last)-1] += ":" + part
	return errs
}

// isCode reports whether s looks like a code: upper-case letters, digits and underscores.
func isCode(s string) bool {
	if len(s) < 3 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// ReportRow is one row of a bulk write report. Its Echo is valid until the next row.
type ReportRow struct {
	File      string   // CSV of the report, named {Module}-{file}
	Header    []string // names of Echo
	Echo      []string // the first mapped columns of the upload, at most three
	Status    RowStatus
	RawStatus string
	RecordID  string // "" unless added or updated
	Errors    []FieldError
}

// WriteReport is the report of a bulk write job. Close it.
type WriteReport struct {
	archive *archive
}

// OpenBulkWriteReport downloads the report of a completed job into a temporary file. Zoho keeps reports for seven days.
// Errors are [*Error]; a torn download is transient and the call may be repeated.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/download-result.html
func (c *Client) OpenBulkWriteReport(ctx context.Context, job BulkWriteJob) (*WriteReport, error) {
	target, err := c.resultURL(OpBulkWriteResult, job.DownloadURL)
	if err != nil {
		return nil, err
	}
	a, err := c.download(ctx, OpBulkWriteResult, target)
	if err != nil {
		return nil, err
	}
	if len(a.tables()) == 0 {
		return nil, a.discard(a.fail(CodeBadArchive, errors.New("the zip holds no CSV")))
	}
	return &WriteReport{archive: a}, nil
}

// Rows yields the rows of all CSVs of the report. Zoho gives one row per row of the upload, in its order; that is known from
// practice and not documented, so compare the count and an echoed key. Rows may be called again, which starts over.
func (r *WriteReport) Rows() iter.Seq2[ReportRow, error] {
	return func(yield func(ReportRow, error) bool) {
		bound := r.archive.bound.Load()
		defer r.archive.bound.Store(bound)
		for _, f := range r.archive.tables() {
			t, err := r.archive.table(f)
			if err != nil {
				yield(ReportRow{}, err)
				return
			}
			more := reportRows(t, f.Name, yield)
			_ = t.Close() // read to its end or given up
			if !more {
				return
			}
		}
	}
}

// Close removes the temporary file.
func (r *WriteReport) Close() error { return r.archive.Close() }

// reportRows yields the rows of one CSV and reports whether to go on.
func reportRows(t *table, file string, yield func(ReportRow, error) bool) bool {
	if t.header == nil {
		return true
	}
	status, id, errs, err := reportColumns(t.header)
	if err != nil {
		yield(ReportRow{}, t.archive.fail(CodeBadArchive, err))
		return false
	}
	for {
		cells, err := t.next()
		if err == io.EOF {
			return true
		}
		if err != nil {
			yield(ReportRow{}, err)
			return false
		}
		row := ReportRow{
			File: file, Header: t.header[:status], Echo: cells[:status], RawStatus: cells[status], Status: rowStatus(cells[status]),
			RecordID: strings.TrimSpace(cells[id]),
		}
		if errs >= 0 && cells[errs] != "" {
			row.Errors = ParseRowErrors(cells[errs])
		}
		if !yield(row, nil) {
			return false
		}
	}
}

// reportColumns finds STATUS, RECORD_ID and ERRORS, which follow the echoed columns. They are looked for from the end, as an
// echoed column may bear one of these names.
func reportColumns(header []string) (status, id, errs int, err error) {
	find := func(name string) int {
		for i, h := range slices.Backward(header) {
			if strings.EqualFold(normalizeCode(h), name) {
				return i
			}
		}
		return -1
	}
	status, id, errs = find("STATUS"), find("RECORD_ID"), find("ERRORS")
	if status < 0 || id < 0 {
		return 0, 0, 0, errors.New("the report has no columns STATUS and RECORD_ID")
	}
	return status, id, errs, nil
}
