package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
)

// BulkReadJobSpec describes an export of one module, at most 200,000 rows a job.
type BulkReadJobSpec struct {
	Module   string    // API name; subform and linking modules too
	Fields   []string  // API names, at most 200; empty is all. The id is always added.
	Criteria *Criteria // at most 25 comparisons; nil is all records
	Page     int       // from 1; 0 is 1. A later page by number is a new query: rows may have moved

	// PageToken continues an earlier job ([BulkReadJob].Next). All else but CallbackURL is ignored, being bound to the token,
	// which lasts 24 hours.
	PageToken string

	CallbackURL string // Zoho posts the job there when it ends; "" is none
}

// BulkReadJob is the state of a job.
type BulkReadJob struct {
	ID          string
	State       JobState
	RawState    string // as Zoho spelled it
	Count       int64  // rows of this page; valid when completed
	Page        int
	More        bool   // there are further pages
	Next        string // page token of the next page; "" where the version gives none, then use Page+1
	DownloadURL string // "" until completed; kept for one day
	Failure     *Error // why a failed job failed
}

// CreateBulkRead creates an export job and returns its id. It costs 50 credits; a duplicate costs them again and does no
// other harm.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/create-job.html
func (c *Client) CreateBulkRead(ctx context.Context, spec BulkReadJobSpec) (string, error) {
	if err := spec.check(); err != nil {
		return "", err
	}
	body, err := json.Marshal(spec.wire())
	if err != nil {
		return "", argumentError(OpBulkReadCreate, "%v", errors.Unwrap(err))
	}
	return c.createJob(ctx, request{
		call: newCall(OpBulkReadCreate, spec.Module, 0, true), method: http.MethodPost, url: c.bulkURL("read"),
		contentType: "application/json", body: BytesBody(body),
	})
}

func (s BulkReadJobSpec) check() error {
	switch {
	case s.PageToken != "":
		return nil
	case s.Module == "":
		return argumentError(OpBulkReadCreate, "no module")
	case len(s.Fields) > BulkReadMaxFields:
		return argumentError(OpBulkReadCreate, "%d fields; Zoho reads at most %d", len(s.Fields), BulkReadMaxFields)
	case s.Criteria != nil && s.Criteria.size() > BulkReadMaxCriteria:
		return argumentError(OpBulkReadCreate, "%d criteria; Zoho takes at most %d", s.Criteria.size(), BulkReadMaxCriteria)
	case s.Page < 0 || s.Page > BulkReadMaxPages:
		return argumentError(OpBulkReadCreate, "page %d; Zoho has at most %d", s.Page, BulkReadMaxPages)
	}
	return nil
}

type bulkReadBody struct {
	Callback *jobCallback  `json:"callback,omitempty"`
	Query    bulkReadQuery `json:"query"`
	FileType string        `json:"file_type,omitempty"`
}

type bulkReadQuery struct {
	PageToken string      `json:"page_token,omitempty"`
	Module    *moduleName `json:"module,omitempty"`
	Fields    []string    `json:"fields,omitempty"`
	Criteria  *Criteria   `json:"criteria,omitempty"`
	Page      int         `json:"page,omitempty"`
}

func (s BulkReadJobSpec) wire() bulkReadBody {
	if s.PageToken != "" {
		return bulkReadBody{Callback: callbackTo(s.CallbackURL), Query: bulkReadQuery{PageToken: s.PageToken}}
	}
	return bulkReadBody{
		Callback: callbackTo(s.CallbackURL), FileType: "csv",
		Query: bulkReadQuery{Module: &moduleName{s.Module}, Fields: s.Fields, Criteria: s.Criteria, Page: max(s.Page, 1)},
	}
}

// BulkRead returns the state of a job. An unknown job is an error for which [IsNotFound] holds.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/job-details.html
func (c *Client) BulkRead(ctx context.Context, id string) (BulkReadJob, error) {
	r := request{call: newCall(OpBulkReadStatus, "", 0, true), method: http.MethodGet, url: c.bulkURL("read", id)}
	var raw json.RawMessage
	if _, err := c.getJSON(ctx, r, &raw); err != nil {
		return BulkReadJob{}, err
	}
	job, ok := decodeBulkRead(raw)
	if !ok {
		return BulkReadJob{}, &Error{Op: OpBulkReadStatus, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer holds no job"), CreditsRemaining: -1}
	}
	job.ID = firstOf(job.ID, id)
	return job, nil
}

type wireBulkRead struct {
	ID     flexString `json:"id"`
	State  flexString `json:"state"`
	Status flexString `json:"status"`
	Result flexObject[struct {
		Page        flexInt                 `json:"page"`
		Count       flexInt                 `json:"count"`
		DownloadURL flexString              `json:"download_url"`
		More        flexBool                `json:"more_records"`
		Next        flexString              `json:"next_page_token"`
		Error       flexObject[envelopeRaw] `json:"error_message"`
	}] `json:"result"`
}

type envelopeRaw json.RawMessage

func (e *envelopeRaw) UnmarshalJSON(b []byte) error {
	*e = append((*e)[:0], b...)
	return nil
}

// decodeBulkRead reads a job, wrapped in data as documented or bare.
func decodeBulkRead(body []byte) (BulkReadJob, bool) {
	var w wireBulkRead
	var list struct {
		Data flexList[wireBulkRead] `json:"data"`
	}
	if json.Unmarshal(body, &list) == nil && len(list.Data) > 0 {
		w = list.Data[0]
	} else if json.Unmarshal(body, &w) != nil {
		return BulkReadJob{}, false
	}
	raw := firstOf(string(w.State), string(w.Status))
	if raw == "" {
		return BulkReadJob{}, false
	}
	job := BulkReadJob{ID: string(w.ID), State: jobState(raw), RawState: raw}
	r := w.Result.Value
	switch job.State {
	case JobCompleted: // samples show a result earlier; it means nothing then
		job.Page, job.Count, job.More = int(r.Page), int64(r.Count), bool(r.More)
		job.Next, job.DownloadURL = string(r.Next), string(r.DownloadURL)
	case JobFailed:
		job.Failure = errorFromBody(OpBulkReadStatus, "", http.StatusOK, http.Header{}, r.Error.Value)
		if job.Failure.Message == "" || job.Failure.Code == codeByStatus {
			job.Failure.Message = firstOf(job.Failure.Message, "the job failed")
		}
	}
	return job, true
}

// Rows is the result of a bulk read job. Close it.
type Rows struct {
	archive *archive
	table   *table // nil when the result is empty
	idIndex int
}

// OpenBulkRead downloads the result of a completed job into a temporary file. Zoho keeps results for one day and allows ten
// downloads a minute. Errors are [*Error]; a torn download is transient and the call may be repeated.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/download-result.html
func (c *Client) OpenBulkRead(ctx context.Context, job BulkReadJob) (*Rows, error) {
	if job.State != JobCompleted {
		return nil, &Error{Op: OpBulkReadResult, Code: CodeJobNotComplete, Message: "the job is " + string(job.State), CreditsRemaining: -1, NotSent: true}
	}
	target := job.DownloadURL
	if target == "" {
		target = "/crm/bulk/" + c.set.version + "/read/" + job.ID + "/result"
	}
	target, err := c.resultURL(OpBulkReadResult, target)
	if err != nil {
		return nil, err
	}
	a, err := c.download(ctx, OpBulkReadResult, target)
	if err != nil {
		return nil, err
	}
	rows, err := newRows(a, job.Count)
	if err != nil {
		return nil, a.discard(err)
	}
	return rows, nil
}

func newRows(a *archive, count int64) (*Rows, error) {
	r := &Rows{archive: a, idIndex: -1}
	files := a.tables()
	if len(files) == 0 && count == 0 && len(a.zip.File) == 0 {
		return r, nil
	}
	if len(files) != 1 {
		return nil, a.fail(CodeBadArchive, fmt.Errorf("the zip holds %d CSV files instead of one", len(files)))
	}
	var err error
	if r.table, err = a.table(files[0]); err != nil {
		return nil, err
	}
	for i, h := range r.table.header {
		if strings.EqualFold(h, "id") {
			r.idIndex = i
			break
		}
	}
	return r, nil
}

// Header returns the column names: API names as asked for, with the id's in Zoho's spelling ("Id" in practice, "id" in its
// pages). It is nil when the file is empty.
func (r *Rows) Header() []string {
	if r.table == nil {
		return nil
	}
	return r.table.header
}

// IDColumn returns the index of the id column, -1 when there is none.
func (r *Rows) IDColumn() int { return r.idIndex }

// Count returns the number of rows read so far.
func (r *Rows) Count() int64 {
	if r.table == nil {
		return 0
	}
	return r.table.rows
}

// All yields the rows, once. A row is as long as the header and valid until the next; a blank cell is null or empty, Zoho
// does not tell which. After an error there are no further rows. The checksum is compared at the end of the file: only a
// sequence that ended without an error was complete.
func (r *Rows) All() iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		for r.table != nil {
			row, err := r.table.next()
			if err == io.EOF || !yield(row, err) || err != nil {
				return
			}
		}
	}
}

// Close removes the temporary file.
func (r *Rows) Close() error {
	var err error
	if r.table != nil {
		err = r.table.Close()
	}
	return errors.Join(err, r.archive.Close())
}
