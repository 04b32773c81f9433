package zoho

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// csvName is the file inside the zip; Zoho names the report after it.
const csvName = "sluice.csv"

// smallFile is the smaller of the two row limits Zoho's pages name. A file
// beyond it that Zoho refuses teaches the session to send smaller ones.
const smallFile = 10_000

// jobHandle is a ticket's handle: what is needed to go on with a job.
type jobHandle struct {
	Module string `json:"module"`
	FileID string `json:"file_id,omitempty"`
	JobID  string `json:"job_id,omitempty"`
	Rows   int    `json:"rows"` // sent; the others of the ticket were settled before
}

func (h jobHandle) text() string {
	b, _ := json.Marshal(h) // strings and a number always encode
	return string(b)
}

// writeBulk writes rows of a chunk as one bulk job, or as two when they do not
// fit in one.
func (w *writer) writeBulk(ctx context.Context, chunk *connector.Chunk, rows []int) error {
	if limit := w.session.rowLimit.Load(); limit > 0 && int64(len(rows)) > limit {
		return w.halve(ctx, chunk, nil)
	}
	batch, problems, err := w.zip(chunk, rows)
	if errors.Is(err, crm.ErrZipFull) || isCode(err, "FILE_TOO_LARGE") {
		return w.halve(ctx, chunk, translate(err, "packing the records for "+w.plan.module.APIName))
	}
	if err != nil {
		return translate(err, "packing the records for "+w.plan.module.APIName)
	}
	if err := w.setAside(ctx, chunk, problems); err != nil {
		return err
	}
	if len(batch.rows) == 0 {
		return nil
	}
	return w.submit(ctx, chunk, batch)
}

// halve splits a chunk in two; a chunk of one row is as small as it gets. Each
// half is concluded by itself, so that one that fails leaves the other alone;
// what would befall every chunk is returned.
func (w *writer) halve(ctx context.Context, chunk *connector.Chunk, cause *connector.Error) error {
	if chunk.Len() < 2 {
		return cause
	}
	var fatal error
	first, second := chunk.Halves()
	for _, half := range []*connector.Chunk{first, second} {
		err := w.write(ctx, half)
		half.Conclude(err)
		if e := connector.AsError(err); e != nil && (stopsRun(e.Class) || e.Class == connector.ClassQuotaExhausted) {
			fatal = cmp.Or(fatal, err)
		}
	}
	return fatal
}

// fileBatch is a zip ready to be sent. It is kept in memory: it has at most
// 25 MB (usually a tenth), its length can be sent ahead, which Zoho's gateways
// want, and an upload that fails on the way can be repeated without rendering
// the rows anew. The CSV itself is never held: rows go straight into the
// compressor.
type fileBatch struct {
	zip   []byte
	rows  []int
	width int      // cells of each row in cells
	cells []string // the first of each row, which the report repeats
}

// echoed is how many leading columns a report repeats.
const echoed = 3

func newFileBatch(rows, columns int) *fileBatch {
	width := min(echoed, columns)
	return &fileBatch{rows: make([]int, 0, rows), width: width, cells: make([]string, 0, rows*width)}
}

// add remembers a row that is in the file.
func (f *fileBatch) add(row int, cells []string) {
	f.rows, f.cells = append(f.rows, row), append(f.cells, cells[:f.width]...)
}

// echo is what the report should repeat of the i-th row.
func (f *fileBatch) echo(i int) []string {
	return f.cells[i*f.width : (i+1)*f.width : (i+1)*f.width]
}

// zip renders rows into a zip. Those with values that cannot be sent so are
// returned with the reason.
func (w *writer) zip(chunk *connector.Chunk, rows []int) (*fileBatch, map[int]*connector.Error, error) {
	at, err := w.columnsOf(chunk)
	if err != nil {
		return nil, nil, err
	}
	return w.plan.pack(chunk.Records, at, rows)
}

// pack renders rows of a batch into a zip. At says where the plan's columns
// are in the batch. Rows with a value that cannot be sent are left out and
// returned with the reason.
func (p *plan) pack(records *connector.RecordBatch, at, rows []int) (*fileBatch, map[int]*connector.Error, error) {
	var buf bytes.Buffer
	z, err := crm.NewZipWriter(&buf, csvName, p.header())
	if err != nil {
		return nil, nil, err
	}
	out := newFileBatch(len(rows), len(at))
	problems, err := p.render(records, at, rows, func(row int, cells []string) error {
		if err := z.WriteRow(cells); err != nil {
			return err
		}
		out.add(row, cells)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if err := z.Close(); err != nil {
		return nil, nil, err
	}
	out.zip = buf.Bytes()
	return out, problems, nil
}

// render calls emit with the cells of each row, which are valid during the call
// only, and returns the rows with a value that cannot be sent.
func (p *plan) render(records *connector.RecordBatch, at, rows []int, emit func(row int, cells []string) error) (map[int]*connector.Error, error) {
	problems := map[int]*connector.Error{}
	cells := make([]string, len(at))
	for _, row := range rows {
		if e := p.cells(records, at, row, cells); e != nil {
			problems[row] = e
			continue
		}
		if err := emit(row, cells); err != nil {
			return nil, err
		}
	}
	return problems, nil
}

func (p *plan) cells(records *connector.RecordBatch, at []int, row int, cells []string) *connector.Error {
	for i := range at {
		text := records.Columns[at[i]].Texts[row]
		if text == "" { // null and empty are the same in a CSV of Zoho's
			cells[i] = ""
			continue
		}
		cell, problem := p.columns[i].cell(text)
		if problem == timeTwice {
			return invalid(codeTimeTwice, p.columns[i].name, problem)
		}
		if problem != "" {
			return invalid("INVALID_VALUE", p.columns[i].name, problem)
		}
		cells[i] = cell
	}
	return nil
}

// submit uploads the zip, journals, creates the job, and sees it through.
func (w *writer) submit(ctx context.Context, chunk *connector.Chunk, batch *fileBatch) error {
	module := w.plan.module.APIName
	file, err := w.upload(ctx, chunk, batch)
	if isCode(err, "FILE_TOO_LARGE", "REQUEST_ENTITY_TOO_LARGE") {
		return w.halve(ctx, chunk, translate(err, "uploading records for "+module))
	}
	if err != nil {
		return translate(err, "uploading records for "+module)
	}
	handle := jobHandle{Module: module, FileID: file, Rows: len(batch.rows)}
	if err := chunk.Prepare(ctx, handle.text(), w.plan.idempotent()); err != nil {
		return err
	}
	handle.JobID, err = w.create(ctx, chunk, batch, file)
	if err != nil {
		return w.notCreated(ctx, chunk, batch, err)
	}
	if err := chunk.Submitted(ctx, handle.text()); err != nil {
		return err
	}
	batch.zip = nil
	chunk.ReleaseValues()
	return w.finish(ctx, chunk, handle, batch)
}

func (w *writer) upload(ctx context.Context, chunk *connector.Chunk, batch *fileBatch) (string, error) {
	chunk.Progress(fmt.Sprintf("uploading %d records for %s by a bulk job for %d credits and more", len(batch.rows), w.plan.module.APIName, jobCost), connector.WaitingNone, time.Time{})
	client, err := w.session.uploader(ctx)
	if err != nil {
		return "", err
	}
	return client.Upload(ctx, csvName+".zip", crm.BytesBody(batch.zip))
}

// create makes the job. A file that Zoho no longer knows is uploaded once more.
func (w *writer) create(ctx context.Context, chunk *connector.Chunk, batch *fileBatch, file string) (string, error) {
	spec := crm.BulkWriteJobSpec{
		Operation: w.plan.operation(), Module: w.plan.module.APIName, FileID: file, FileName: csvName, FindBy: w.plan.key,
		Mappings: w.plan.mappings(), IgnoreEmpty: w.plan.ignoreEmpty,
	}
	id, err := w.session.client.CreateBulkWrite(ctx, spec)
	if !isCode(err, "INVALID_FILE_ID", "FILE_NOT_FOUND", "ALREADY_USED") {
		return id, err
	}
	if spec.FileID, err = w.upload(ctx, chunk, batch); err != nil {
		return "", err
	}
	return w.session.client.CreateBulkWrite(ctx, spec)
}

// notCreated decides what a failed creation means for the rows. The chunk is
// journaled as prepared, so an error returned as it is leaves rows in doubt
// that are not idempotent; where Zoho certainly did nothing they are not.
func (w *writer) notCreated(ctx context.Context, chunk *connector.Chunk, batch *fileBatch, err error) error {
	e := translate(err, "creating the bulk write job for "+w.plan.module.APIName)
	if isCode(err, "FILE_NOT_SUPPORTED") && len(batch.rows) > smallFile {
		// The chunk is journaled and can no longer be split: its records are
		// sent again, in smaller files.
		w.session.rowLimit.Store(smallFile)
		e.Class = connector.ClassTransient
		e.Help = []connector.Help{{Description: "Set the records per job to 10,000: Zoho refused a larger file, and its pages name both limits."}}
	}
	if w.plan.key != "" && refusesKey(err) {
		w.withoutKey(chunk, e)
	}
	if answered(err) || notSent(err) {
		failAll(chunk, batch.rows, e)
	}
	return e
}

// resume goes on with a job that an earlier run submitted.
func (w *writer) resume(ctx context.Context, chunk *connector.Chunk, ticket connector.Ticket) error {
	var h jobHandle
	if err := json.Unmarshal([]byte(ticket.Handle), &h); err != nil || h.JobID == "" {
		return connector.Errorf(connector.ClassInternal, "INVALID_HANDLE", "the ticket %s holds no job id", ticket.ID)
	}
	rows, err := w.selectRows(chunk)
	if err != nil {
		return err
	}
	at, err := w.columnsOf(chunk)
	if err != nil {
		return err
	}
	batch := newFileBatch(len(rows), len(at))
	problems, err := w.plan.render(chunk.Records, at, rows, func(row int, cells []string) error {
		batch.add(row, cells)
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.setAside(ctx, chunk, problems); err != nil {
		return err
	}
	chunk.ReleaseValues()
	return w.finish(ctx, chunk, h, batch)
}

// finish polls the job and turns its report into outcomes.
func (w *writer) finish(ctx context.Context, chunk *connector.Chunk, h jobHandle, batch *fileBatch) error {
	what := "bulk write job " + h.JobID
	job, err := w.await(ctx, chunk, h)
	if crm.IsNotFound(err) {
		w.doubt(chunk, batch.rows, translate(err, "asking for "+what+", which Zoho no longer knows"))
		return nil
	}
	if err != nil {
		return translate(err, "waiting for "+what)
	}
	if job.State == crm.JobFailed {
		w.failed(chunk, batch, translate(job.Err(), what+" failed"))
		return nil
	}
	report, err := w.report(ctx, job, batch)
	if crm.IsNotFound(err) {
		w.doubt(chunk, batch.rows, translate(err, "reading the report of "+what+", which has expired"))
		return nil
	}
	if err != nil {
		return translate(err, "reading the report of "+what)
	}
	w.settle(chunk, batch, report)
	return nil
}

// failed gives every row the job's own code. A job that Zoho's servers failed
// may have written some rows first.
func (w *writer) failed(chunk *connector.Chunk, batch *fileBatch, e *connector.Error) {
	if stopsRun(e.Class) {
		w.fatal.CompareAndSwap(nil, e)
	}
	if e.Class == connector.ClassTransient || e.Class == connector.ClassInternal {
		w.doubt(chunk, batch.rows, e)
		return
	}
	failAll(chunk, batch.rows, e)
}
