package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Operation is what a bulk write job does with its rows.
type Operation string

// The operations. Bulk write has no delete.
const (
	BulkInsert Operation = "insert" // with FindBy, rows whose record exists are skipped
	BulkUpdate Operation = "update" // rows without a record are skipped
	BulkUpsert Operation = "upsert"
)

// BulkWriteMapping maps a column of the CSV to a field.
type BulkWriteMapping struct {
	Field        string // API name
	Index        int    // zero-based column; -1 for a constant, with Default
	Format       string // of a date or date-time column, in Java's letters: yyyy-MM-dd, yyyy-MM-dd HH:mm:ss
	FindBy       string // for lookups and users: id, or a unique field of the target module
	Default      string // for empty cells, or for all rows with Index -1; "" is none
	ParentColumn *int   // of a child CSV: the column of the parent it refers to
	Module       string // of a lookup to several modules
}

// BulkWriteJobSpec describes a job over one uploaded CSV.
type BulkWriteJobSpec struct {
	Operation Operation
	Module    string // API name
	FileID    string // of [Client.Upload]
	FileName  string // CSV inside the zip; may be empty when there is one
	FindBy    string // id or a unique field; required for update and upsert

	// Mappings are optional: without, Zoho takes each CSV header for an API name. Give them, with formats for dates, since
	// pages disagree on the default formats. The first three mapped columns come back in the report, so the key
	// belongs among them.
	Mappings []BulkWriteMapping

	// IgnoreEmpty leaves a field as it is where the cell is empty. Zoho's default is to clear it.
	IgnoreEmpty bool

	CallbackURL string // Zoho posts the job there when it ends; "" is none
}

// BulkWriteJob is the state of a job.
type BulkWriteJob struct {
	ID          string
	State       JobState
	RawState    string // as Zoho spelled it
	Operation   string
	DownloadURL string // of the report, absolute or relative; "" until completed
	Resources   []BulkWriteResource
}

// BulkWriteResource is the part of a job that concerns one CSV. Added, Updated and Skipped make up Total once the job is
// completed; before, the counts mean nothing. A job whose rows were all skipped is completed, not failed.
type BulkWriteResource struct {
	Module  string
	State   JobState
	Code    string // SUCCESS, ADDED, or why it failed
	Message string
	File    string
	Added   int64
	Updated int64
	Skipped int64
	Total   int64
}

// Err returns why a failed job failed, nil when it has not failed.
func (j BulkWriteJob) Err() error {
	if j.State != JobFailed {
		return nil
	}
	e := &Error{Op: OpBulkWriteStatus, Code: CodeJobFailed, Message: "the job failed", CreditsRemaining: -1, HTTPStatus: http.StatusOK}
	for _, r := range j.Resources {
		if r.Code != "" && r.Code != "SUCCESS" && r.Code != "ADDED" {
			e.Code, e.Message = r.Code, firstOf(r.Message, "the job failed")
			break
		}
	}
	return e
}

// Upload sends a zip of CSV files and returns its file id. It needs [WithOrgID]. The zip may have 25 MB. Zoho looks into
// it only when a job is created, so a zip can be uploaded again safely.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/upload-file.html
func (c *Client) Upload(ctx context.Context, name string, zip *Body) (string, error) {
	if c.set.orgID == "" {
		return "", argumentError(OpUpload, "uploads need the organisation's zgid, see WithOrgID")
	}
	if zip.empty() {
		return "", argumentError(OpUpload, "there is no content")
	}
	n, err := zip.size()
	if err != nil {
		return "", argumentError(OpUpload, "the zip cannot be read: %v", err)
	}
	const limit = 25 << 20 // the larger reading of 25 MB: Zoho decides about what lies between
	if n > limit {
		return "", &Error{Op: OpUpload, Code: "FILE_TOO_LARGE", Message: fmt.Sprintf("%d bytes", n), CreditsRemaining: -1, NotSent: true}
	}
	head, tail, contentType := multipartFrame(name)
	r := request{
		call: newCall(OpUpload, "", 0, true), method: http.MethodPost, url: c.set.uploadBase + "/crm/" + c.set.version + "/upload",
		header: http.Header{"Feature": {"bulk-write"}, "X-Crm-Org": {c.set.orgID}}, contentType: contentType, body: zip.framed(head, tail),
	}
	var answer struct {
		Details flexObject[struct {
			FileID flexString `json:"file_id"`
		}] `json:"details"`
	}
	if _, err := c.getJSON(ctx, r, &answer); err != nil {
		return "", err
	}
	if answer.Details.Value.FileID == "" {
		return "", &Error{Op: OpUpload, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer holds no file id"), CreditsRemaining: -1}
	}
	return string(answer.Details.Value.FileID), nil
}

// multipartFrame returns what goes before and after the file in a form of one part.
func multipartFrame(name string) (head, tail []byte, contentType string) {
	var b strings.Builder
	w := multipart.NewWriter(&b)
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", mime.FormatMediaType("form-data", map[string]string{"name": "file", "filename": name}))
	h.Set("Content-Type", "application/zip")
	_, _ = w.CreatePart(h) // a strings.Builder does not fail
	head = []byte(b.String())
	return head, []byte("\r\n--" + w.Boundary() + "--\r\n"), w.FormDataContentType()
}

// CreateBulkWrite creates a job over an uploaded file and returns its id. It costs 500 credits and is not idempotent: when
// the answer is lost, the job may run. Errors of the mapping come here as rejected or schema_changed, or later
// as a failed job.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/create-job.html
func (c *Client) CreateBulkWrite(ctx context.Context, spec BulkWriteJobSpec) (string, error) {
	if err := spec.check(); err != nil {
		return "", err
	}
	body, err := json.Marshal(spec.wire())
	if err != nil {
		return "", argumentError(OpBulkWriteCreate, "%v", err)
	}
	r := request{
		call: newCall(OpBulkWriteCreate, spec.Module, 0, false), method: http.MethodPost, url: c.bulkURL("write"),
		contentType: "application/json", body: BytesBody(body),
	}
	return c.createJob(ctx, r)
}

// createJob reads the id of a created job, from a bare answer or from one wrapped in data.
func (c *Client) createJob(ctx context.Context, r request) (string, error) {
	type details struct {
		Status  flexString `json:"status"`
		Details flexObject[struct {
			ID flexString `json:"id"`
		}] `json:"details"`
	}
	var answer struct {
		details
		Data flexList[details] `json:"data"`
	}
	var raw json.RawMessage
	if _, err := c.getJSON(ctx, r, &raw); err != nil {
		return "", err
	}
	_ = json.Unmarshal(raw, &answer)
	d := answer.details
	if len(answer.Data) > 0 {
		d = answer.Data[0]
	}
	if strings.EqualFold(string(d.Status), "error") {
		return "", errorFromBody(r.call.Op, pathOf(r.url), http.StatusOK, http.Header{}, raw)
	}
	if d.Details.Value.ID == "" {
		return "", &Error{Op: r.call.Op, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer holds no job id"), CreditsRemaining: -1}
	}
	return string(d.Details.Value.ID), nil
}

func (s BulkWriteJobSpec) check() error {
	switch {
	case s.Module == "" || s.FileID == "":
		return argumentError(OpBulkWriteCreate, "module and file id are required")
	case s.Operation != BulkInsert && s.Operation != BulkUpdate && s.Operation != BulkUpsert:
		return argumentError(OpBulkWriteCreate, "operation %q is not insert, update or upsert", string(s.Operation))
	case s.Operation != BulkInsert && s.FindBy == "":
		return argumentError(OpBulkWriteCreate, "%s needs a field to find records by", string(s.Operation))
	case len(s.Mappings) > BulkWriteMaxColumns:
		return argumentError(OpBulkWriteCreate, "%d mappings; Zoho takes at most %d", len(s.Mappings), BulkWriteMaxColumns)
	}
	for _, m := range s.Mappings {
		if m.Field == "" || (m.Index < 0 && m.Default == "") {
			return argumentError(OpBulkWriteCreate, "the mapping of %q needs a field, and a column or a default", m.Field)
		}
	}
	return nil
}

type jobCallback struct {
	URL    string `json:"url"`
	Method string `json:"method"`
}

func callbackTo(url string) *jobCallback {
	if url == "" {
		return nil
	}
	return &jobCallback{URL: url, Method: "post"}
}

type moduleName struct {
	APIName string `json:"api_name"`
}

type bulkWriteBody struct {
	CharacterEncoding string                  `json:"character_encoding"`
	Operation         Operation               `json:"operation"`
	IgnoreEmpty       bool                    `json:"ignore_empty"`
	Callback          *jobCallback            `json:"callback,omitempty"`
	Resource          []bulkWriteResourceBody `json:"resource"`
}

type bulkWriteResourceBody struct {
	Type        string                 `json:"type"`
	Module      moduleName             `json:"module"`
	FileID      string                 `json:"file_id"`
	FileNames   []string               `json:"file_names,omitempty"`
	FindBy      string                 `json:"find_by,omitempty"`
	IgnoreEmpty bool                   `json:"ignore_empty"`
	Mappings    []bulkWriteMappingBody `json:"field_mappings,omitempty"`
}

type bulkWriteMappingBody struct {
	APIName      string            `json:"api_name"`
	Index        *int              `json:"index,omitempty"`
	Format       string            `json:"format,omitempty"`
	FindBy       string            `json:"find_by,omitempty"`
	DefaultValue *bulkWriteDefault `json:"default_value,omitempty"`
	ParentColumn *int              `json:"parent_column_index,omitempty"`
	Module       string            `json:"module,omitempty"`
}

type bulkWriteDefault struct {
	Value string `json:"value"`
}

func (s BulkWriteJobSpec) wire() bulkWriteBody {
	r := bulkWriteResourceBody{Type: "data", Module: moduleName{s.Module}, FileID: s.FileID, FindBy: s.FindBy, IgnoreEmpty: s.IgnoreEmpty}
	if s.FileName != "" {
		r.FileNames = []string{s.FileName}
	}
	for _, m := range s.Mappings {
		w := bulkWriteMappingBody{APIName: m.Field, Format: m.Format, FindBy: m.FindBy, ParentColumn: m.ParentColumn, Module: m.Module}
		if m.Index >= 0 {
			w.Index = &m.Index
		}
		if m.Default != "" {
			w.DefaultValue = &bulkWriteDefault{m.Default}
		}
		r.Mappings = append(r.Mappings, w)
	}
	return bulkWriteBody{
		CharacterEncoding: "UTF-8", Operation: s.Operation, IgnoreEmpty: s.IgnoreEmpty, Callback: callbackTo(s.CallbackURL), Resource: []bulkWriteResourceBody{r},
	}
}

// BulkWrite returns the state of a job. An unknown job is an error for which [IsNotFound] holds.
//
// https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/job-details.html
func (c *Client) BulkWrite(ctx context.Context, id string) (BulkWriteJob, error) {
	r := request{call: newCall(OpBulkWriteStatus, "", 0, true), method: http.MethodGet, url: c.bulkURL("write", id)}
	var raw json.RawMessage
	if _, err := c.getJSON(ctx, r, &raw); err != nil {
		return BulkWriteJob{}, err
	}
	job, ok := decodeBulkWrite(raw)
	if !ok {
		return BulkWriteJob{}, &Error{Op: OpBulkWriteStatus, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer holds no job"), CreditsRemaining: -1}
	}
	if job.ID == "" {
		job.ID = id
	}
	return job, nil
}

type wireBulkWrite struct {
	ID        flexString `json:"id"`
	Status    flexString `json:"status"`
	State     flexString `json:"state"`
	Operation flexString `json:"operation"`
	Result    flexObject[struct {
		DownloadURL flexString `json:"download_url"`
	}] `json:"result"`
	Resource flexList[struct {
		Status  flexString `json:"status"`
		Code    flexString `json:"code"`
		Message flexString `json:"message"`
		Module  moduleRef  `json:"module"`
		File    flexObject[struct {
			Name    flexString `json:"name"`
			Added   flexInt    `json:"added_count"`
			Updated flexInt    `json:"updated_count"`
			Skipped flexInt    `json:"skipped_count"`
			Total   flexInt    `json:"total_count"`
		}] `json:"file"`
	}] `json:"resource"`
}

// decodeBulkWrite reads a job, bare as documented or wrapped in data as its sibling API has it.
func decodeBulkWrite(body []byte) (BulkWriteJob, bool) {
	var w wireBulkWrite
	var list struct {
		Data flexList[wireBulkWrite] `json:"data"`
	}
	if json.Unmarshal(body, &list) == nil && len(list.Data) > 0 {
		w = list.Data[0]
	} else if json.Unmarshal(body, &w) != nil {
		return BulkWriteJob{}, false
	}
	raw := firstOf(string(w.Status), string(w.State))
	if raw == "" {
		return BulkWriteJob{}, false
	}
	job := BulkWriteJob{ID: string(w.ID), State: jobState(raw), RawState: raw, Operation: strings.ToLower(string(w.Operation)), DownloadURL: string(w.Result.Value.DownloadURL)}
	for _, r := range w.Resource {
		f := r.File.Value
		job.Resources = append(job.Resources, BulkWriteResource{
			Module: string(r.Module.APIName), State: jobState(string(r.Status)), Code: normalizeCode(string(r.Code)), Message: clip(string(r.Message)),
			File: string(f.Name), Added: int64(f.Added), Updated: int64(f.Updated), Skipped: int64(f.Skipped), Total: int64(f.Total),
		})
	}
	return job, true
}

// PollDelay advises how long to wait before asking for a job's state for the nth time, from 0. Zoho prescribes no
// cadence; each question costs a credit. The delays are 2, 3, 5, 5, 10, 10, 15 and then 30 seconds.
func PollDelay(n int) time.Duration {
	delays := [...]int{2, 3, 5, 5, 10, 10, 15}
	if n < 0 || n >= len(delays) {
		return 30 * time.Second
	}
	return time.Duration(delays[n]) * time.Second
}
