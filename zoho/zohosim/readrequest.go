package zohosim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// POST /crm/bulk/{v}/read
//
// Documented: Content-Type application/json required (415 otherwise); query with module, fields, criteria, page or
// page_token; file_type csv on top or inside query; 201 with data[].details and info. Page tokens live 24 hours.
// Gaps: ics files and custom views (CVID_NOT_SUPPORTED) are refused, at most two fields deep.

const maxReadFields = 200

type readRequest struct {
	Callback *callback  `json:"callback"`
	FileType string     `json:"file_type"`
	Query    *readQuery `json:"query"`
}

type readQuery struct {
	Module    moduleName      `json:"module"`
	CVID      idText          `json:"cvid"`
	Fields    []string        `json:"fields"`
	Criteria  json.RawMessage `json:"criteria"`
	Page      *int            `json:"page"`
	PageToken string          `json:"page_token"`
	FileType  string          `json:"file_type"`
}

// readJob is the bulk read part of a job, compiled.
type readJob struct {
	query    readQuery
	table    *table
	columns  []fieldPath
	where    *condition
	page     int
	after    int64 // records up to this id were on earlier pages of the token chain
	conf     *Config
	version  int // of the API path the job was created under
	count    int
	more     bool
	next     string
	expires  time.Time
	fileType string
}

func createBulkRead(c *call) reply {
	if err := c.mayBegin(); err != nil {
		return err.reply()
	}
	if !strings.HasPrefix(c.r.Header.Get("Content-Type"), "application/json") {
		return fail(http.StatusUnsupportedMediaType, "MEDIA_TYPE_NOT_SUPPORTED", "Media type is not supported").reply()
	}
	var q readRequest
	switch err := c.decode(&q); {
	case err == errEmptyBody:
		return bad("REQUEST_BODY_IS_EMPTY", "Request body is empty").reply()
	case err != nil:
		return bad("REQUEST_BODY_NOT_READABLE", "Request body is not readable").reply()
	case q.Query == nil:
		return bad("MANDATORY_NOT_FOUND", "required field not found").with(criterionDetails{APIName: "query"}).reply()
	}
	if err := q.Callback.check(); err != nil {
		return err.reply()
	}
	rj, err := c.planRead(&q)
	if err != nil {
		return err.reply()
	}
	if !c.token.allows(c.moduleNeed(rj.table.APIName, "READ")) {
		return errScope().reply()
	}
	j := &job{readJob: rj, notify: q.Callback}
	c.startJob(j)
	c.sim.log.jobCreated(c.now, func(n *Counters) { n.BulkReadJobs++ })
	return reply{status: http.StatusCreated, body: readCreated{Data: []readCreatedRow{{Status: "success", Code: "ADDED_SUCCESSFULLY", Message: "Added successfully.",
		Details: readCreatedDetails{j.id, "read", "ADDED", c.sim.org.nameOf(0), c.stamp(j.created.Unix())}}}}}
}

type readCreated struct {
	Data []readCreatedRow `json:"data"`
	Info none             `json:"info"`
}

type readCreatedRow struct {
	Status  string             `json:"status"`
	Code    string             `json:"code"`
	Message string             `json:"message"`
	Details readCreatedDetails `json:"details"`
}

type readCreatedDetails struct {
	ID        string `json:"id"`
	Operation string `json:"operation"`
	State     string `json:"state"`
	CreatedBy idName `json:"created_by"`
	Created   string `json:"created_time"`
}

func (c *call) planRead(q *readRequest) (*readJob, *apiError) {
	if q.Query.PageToken != "" {
		return c.continueRead(q.Query)
	}
	rj := &readJob{query: *q.Query, page: 1, conf: c.conf, version: c.version(), fileType: defaulted(defaulted(q.FileType, q.Query.FileType), "csv")}
	if p := q.Query.Page; p != nil {
		rj.page = *p
	}
	switch {
	case rj.fileType != "csv":
		return nil, bad("INVALID_DATA", "file_type "+rj.fileType+" is not supported")
	case rj.page < 1 || rj.page > c.conf.Variants.MaxPage:
		return nil, bad("PAGE_RANGE_EXCEEDED", "page range exceeded").with(maxLimit{c.conf.Variants.MaxPage})
	case q.Query.CVID != "":
		return nil, bad("CVID_NOT_SUPPORTED", "the cvid is not supported")
	case q.Query.Module == "":
		return nil, bad("MANDATORY_NOT_FOUND", "required field not found").with(criterionDetails{APIName: "module"})
	}
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	rj.table = s.tables[string(q.Query.Module)]
	switch {
	case rj.table == nil:
		return nil, bad("MODULE_NOT_AVAILABLE", fmt.Sprintf("Requested module '%s' is not available.", q.Query.Module))
	case rj.table.NoBulkRead || rj.table.NoAPI:
		return nil, bad("MODULE_NOT_SUPPORTED", fmt.Sprintf("Requested module '%s' is not supported.", q.Query.Module))
	}
	return rj, rj.compile(c.sim)
}

func (rj *readJob) compile(s *Sim) *apiError {
	t := rj.table
	rj.columns = []fieldPath{{name: rj.conf.Variants.IDColumn, field: t.byName["id"]}}
	if len(rj.query.Fields) > maxReadFields {
		return bad("LIMIT_EXCEEDED", "fields limit exceeded").with(maxLimit{maxReadFields})
	}
	for _, name := range rj.query.Fields {
		if strings.EqualFold(name, "id") {
			continue
		}
		p, ok := s.store.resolvePath(t, name)
		if !ok {
			return bad("FIELD_NOT_AVAILABLE", "the field is not available").with(criterionDetails{APIName: name})
		}
		if f := p.last(); !f.stored() && f.sys == sysNone || f.DataType == "fileupload" {
			return bad("FIELD_NOT_SUPPORTED", "the field is not supported").with(criterionDetails{APIName: name})
		}
		rj.columns = append(rj.columns, p)
	}
	defer rj.placeID()
	if len(rj.query.Fields) == 0 {
		for _, f := range t.fields {
			if f.sys != sysID && (f.stored() || f.sys != sysNone) && f.DataType != "fileupload" {
				rj.columns = append(rj.columns, fieldPath{name: f.APIName, field: f})
			}
		}
	}
	if len(rj.query.Criteria) == 0 || string(rj.query.Criteria) == "null" {
		return nil
	}
	var crit criterion
	if json.Unmarshal(rj.query.Criteria, &crit) != nil {
		return bad("INVALID_CRITERIA", "invalid criteria")
	}
	where, err := (&criteriaCompiler{sim: s, table: t}).compile(&crit)
	rj.where = &where
	return err
}

// placeID moves the id column to the end where a variant wants it there.
func (rj *readJob) placeID() {
	if rj.conf.Variants.IDColumnLast {
		rj.columns = append(rj.columns[1:], rj.columns[0])
	}
}

// continueRead makes the job for the page behind a token. Everything else is bound to the token.
func (c *call) continueRead(q *readQuery) (*readJob, *apiError) {
	if q.Page != nil || q.Module != "" || len(q.Fields) > 0 || len(q.Criteria) > 0 {
		return nil, bad("PAGE_NOT_SUPPORTED", "page_token does not go with other keys")
	}
	for _, j := range c.sim.jobs.all() {
		if j.readJob == nil || j.phase(c.now) != phaseDone || j.readJob.next != q.PageToken {
			continue
		}
		if !c.now.Before(j.readJob.expires) {
			return nil, bad("EXPIRED_VALUE", "the page token is expired")
		}
		next := *j.readJob
		next.page, next.after, next.next, next.count, next.more = next.page+1, next.lastID(), "", 0, false
		next.conf = c.conf
		return &next, nil
	}
	return nil, bad("INVALID_DATA", "invalid page_token")
}
