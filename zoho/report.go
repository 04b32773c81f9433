package zoho

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// downloads is how often a result file is fetched before its damage is taken
// as final.
const downloads = 3

// verdict is one row of a report, kept.
type verdict struct {
	status crm.RowStatus
	raw    string
	id     string
	errors []crm.FieldError
	echo   []string
}

// keep is what a row of a report says, the i-th of a batch as it seems. Of a row
// as it should be hardly anything is kept of its own: reports are as large as what
// was sent, and those of several jobs are read at once.
func keep(row crm.ReportRow, batch *fileBatch, i int) verdict {
	v := verdict{status: row.Status, raw: strings.Clone(row.RawStatus), id: strings.Clone(row.RecordID), errors: row.Errors}
	if i < len(batch.rows) && slices.Equal(row.Echo, batch.echo(i)) {
		v.echo = batch.echo(i)
	} else {
		v.echo = slices.Clone(row.Echo)
	}
	return v
}

// report downloads and reads a job's report. A torn or damaged file is fetched again.
func (w *writer) report(ctx context.Context, job crm.BulkWriteJob, batch *fileBatch) (out []verdict, err error) {
	for try := range downloads {
		if try > 0 {
			if err := sleep(ctx, w.session.config.firstPoll); err != nil {
				return nil, err
			}
		}
		out, err = w.readReport(ctx, job, batch)
		if err == nil || !damaged(err) {
			return out, err
		}
	}
	return nil, err
}

func damaged(err error) bool {
	return classOf(err) == connector.ClassTransient || isCode(err, crm.CodeBadArchive)
}

func (w *writer) readReport(ctx context.Context, job crm.BulkWriteJob, batch *fileBatch) ([]verdict, error) {
	client, err := w.session.uploader(ctx)
	if err != nil {
		return nil, err
	}
	r, err := client.OpenBulkWriteReport(ctx, job)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // a temporary file that was only read
	out := make([]verdict, 0, len(batch.rows))
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		out = append(out, keep(row, batch, len(out)))
	}
	return out, nil
}

// settle gives each row sent the outcome the report holds for it: by position
// when counts and echoed keys agree, which they always did so far though Zoho
// does not promise it; by the echoed cells otherwise.
func (w *writer) settle(chunk *connector.Chunk, batch *fileBatch, report []verdict) {
	byPosition := len(report) == len(batch.rows)
	for i := 0; byPosition && i < len(report); i++ {
		byPosition = sameEcho(report[i].echo, batch.echo(i))
	}
	if byPosition {
		for i, row := range batch.rows {
			w.outcome(chunk, row, report[i])
		}
		return
	}
	w.settleByEcho(chunk, batch, report)
}

// sameEcho compares the echoed cells with those sent. Zoho's pages do not say
// whether the first three mapped columns follow the mapping or the file, and
// here both are the same. Line ends may come back changed. Cells that are not
// echoed contradict nothing.
func sameEcho(got, sent []string) bool {
	for i := range min(len(got), len(sent)) {
		if normalEcho(got[i]) != normalEcho(sent[i]) {
			return false
		}
	}
	return true
}

func normalEcho(s string) string {
	if strings.Contains(s, "\r") {
		s = strings.ReplaceAll(s, "\r\n", "\n")
	}
	return strings.TrimSpace(s)
}

// settleByEcho matches rows by their echoed cells. Rows that echo alike and
// fared differently cannot be told apart, and rows the report does not mention
// are as open: both are in doubt.
func (w *writer) settleByEcho(chunk *connector.Chunk, batch *fileBatch, report []verdict) {
	width := echoed
	for _, v := range report {
		width = min(width, len(v.echo))
	}
	found := make(map[string][]verdict, len(report))
	for _, v := range report {
		k := echoKey(v.echo, width)
		found[k] = append(found[k], v)
	}
	sent := make(map[string]int, len(batch.rows))
	for i := range batch.rows {
		sent[echoKey(batch.echo(i), width)]++
	}
	var open []int
	for i, row := range batch.rows {
		k := echoKey(batch.echo(i), width)
		switch v := found[k]; {
		case len(v) != sent[k]:
			open = append(open, row)
		case len(v) == 1:
			w.outcome(chunk, row, v[0])
		case !slices.ContainsFunc(v, func(o verdict) bool { return !o.status.OK() }):
			chunk.Succeed(row, "") // all alike and all written; which id is whose is not known
		default:
			open = append(open, row)
		}
	}
	w.doubt(chunk, open, &connector.Error{
		Class: connector.ClassTransient, Code: "REPORT_MISMATCH",
		Message: "the job's report does not say what became of this record: its rows do not match those sent",
		Help:    []connector.Help{{Description: "Look the record up in Zoho CRM by its unique field before sending it again."}},
	})
}

func echoKey(echo []string, width int) string {
	parts := make([]string, min(width, len(echo)))
	for i := range parts {
		parts[i] = normalEcho(echo[i])
	}
	return strings.Join(parts, "\x00")
}

// outcome settles one row.
func (w *writer) outcome(chunk *connector.Chunk, row int, v verdict) {
	if v.id == "" && row < len(chunk.Records.AppIdentifiers) {
		v.id = chunk.Records.AppIdentifiers[row]
	}
	if v.status.OK() {
		chunk.Succeed(row, v.id)
		return
	}
	detail := v.detail()
	if w.plan.strategy == strategyCreate && w.plan.key != "" && v.existsAlready(w.plan.key) {
		chunk.SucceedWith(row, v.id, detail)
		return
	}
	status, e := v.refusal()
	chunk.Fail(row, status, e, detail)
}

// existsAlready reports whether an insert was skipped because the unique field
// found a record.
func (v verdict) existsAlready(key string) bool {
	if v.status != crm.RowSkipped {
		return false
	}
	for _, e := range v.errors {
		if e.Code != "DUPLICATE_DATA" || len(e.Columns) > 0 && !slices.Equal(e.Columns, []string{key}) {
			return false
		}
	}
	return true
}

// refusal is the outcome of a row that was not written, in Zoho's codes with
// their meaning. One reason that will not pass decides.
func (v verdict) refusal() (connector.Status, *connector.Error) {
	if len(v.errors) == 0 {
		code := "ROW_" + strings.ToUpper(string(v.status))
		if v.status == crm.RowUnprocessed {
			return connector.StatusRetry, &connector.Error{Class: connector.ClassTransient, Code: code, Message: "Zoho did not get to this record"}
		}
		return connector.StatusRejected, &connector.Error{Class: connector.ClassRejected, Code: code, Message: "Zoho did not write this record and gave no reason"}
	}
	out := &connector.Error{Code: v.errors[0].Code}
	status := connector.StatusRetry
	var said []string
	for _, e := range v.errors {
		if s, class := refusalOf(e.Code); status == connector.StatusRetry {
			status, out.Class = s, class
		}
		meaning := meaningOf(e.Code)
		for _, c := range e.Columns {
			out.Fields = append(out.Fields, connector.FieldViolation{Field: c, Description: meaning})
		}
		text := e.Code + ": " + meaning
		if len(e.Columns) > 0 {
			text += " (" + strings.Join(e.Columns, ", ") + ")"
		}
		said = append(said, text)
	}
	out.Message = "Zoho refused the record: " + strings.Join(said, "; ")
	return status, out
}

func meaningOf(code string) string {
	if info, ok := crm.Lookup(code); ok {
		return info.Description
	}
	return "see Zoho's documentation"
}

// detail is the row of the report as JSON, without the echoed cells.
func (v verdict) detail() string {
	type reason struct {
		Code   string   `json:"code"`
		Fields []string `json:"fields,omitempty"`
	}
	d := struct {
		Status   string   `json:"status"`
		RecordID string   `json:"record_id,omitempty"`
		Errors   []reason `json:"errors,omitempty"`
	}{Status: v.raw, RecordID: v.id}
	for _, e := range v.errors {
		d.Errors = append(d.Errors, reason{e.Code, e.Columns})
	}
	b, _ := json.Marshal(d) // strings always encode
	return string(b)
}
