package zohosim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// POST /crm/bulk/{v}/write
//
// Documented: the body below; 201 with status, code, message and details outside of any data array; errors with HTTP
// 400. The file is opened here: a missing file, several CSVs for a plain module, too many rows or columns, unknown
// fields and unmapped mandatory fields are refused at once. Gaps: INVALID_DATA for other modules' layouts, external
// fields, multi-module lookups; a parent and its children may not be updated, children rows are always added.

// idText is an id sent as a string or, by careless callers, as a number.
type idText string

func (t *idText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '"' && b[0] != 'n' {
		*t = idText(b)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// moduleName is {"api_name":...} or, in old versions, a plain string.
type moduleName string

func (m *moduleName) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var o struct {
			APIName string `json:"api_name"`
		}
		err := json.Unmarshal(b, &o)
		*m = moduleName(o.APIName)
		return err
	}
	return json.Unmarshal(b, (*string)(m))
}

type writeRequest struct {
	Encoding    string          `json:"character_encoding"`
	Operation   string          `json:"operation"`
	IgnoreEmpty bool            `json:"ignore_empty"`
	Callback    *callback       `json:"callback"`
	OldCallback *callback       `json:"callBack"`
	Resource    []writeResource `json:"resource"`
}

type writeResource struct {
	Type        string         `json:"type"`
	Module      moduleName     `json:"module"`
	FileID      idText         `json:"file_id"`
	FileNames   []string       `json:"file_names"`
	FindBy      string         `json:"find_by"`
	IgnoreEmpty *bool          `json:"ignore_empty"`
	Mappings    []fieldMapping `json:"field_mappings"`
}

// fieldMapping is a column's destination, also echoed by the status call with its nulls.
type fieldMapping struct {
	APIName     string        `json:"api_name"`
	Index       *int          `json:"index"`
	Format      *string       `json:"format"`
	FindBy      *string       `json:"find_by"`
	Module      *moduleName   `json:"module"`
	ParentIndex *int          `json:"parent_column_index"`
	Default     *defaultValue `json:"default_value"`
}

type defaultValue struct {
	Value  json.RawMessage `json:"value,omitempty"`
	Name   string          `json:"name,omitempty"`
	Module *moduleName     `json:"module,omitempty"`
}

// text of the default, whatever its JSON type.
func (d *defaultValue) text() string {
	var s string
	if json.Unmarshal(d.Value, &s) == nil {
		return s
	}
	if len(d.Value) > 0 {
		return string(d.Value)
	}
	return d.Name
}

func missingKey(key, path string) *apiError {
	return bad("MISSING_REQUIRED_KEY", fmt.Sprintf("required key %s is not found in request body.", key)).with(struct {
		Path string `json:"json_path"`
	}{path})
}

func requiredKey(key string) *apiError {
	return bad("MANDATORY_NOT_FOUND", "Required key "+key+" is not available")
}

// parseWrite reads and checks the request before any file is opened.
func (c *call) parseWrite() (*writeRequest, *apiError) {
	var q writeRequest
	if err := c.decode(&q); err != nil {
		return nil, bad("INVALID_REQUEST", "the request body is not valid JSON")
	}
	if q.Callback == nil {
		q.Callback = q.OldCallback
	}
	switch {
	case q.Operation == "":
		return nil, missingKey("operation", "$.operation")
	case !slices.Contains([]string{"insert", "update", "upsert"}, q.Operation):
		return nil, bad("INVALID_DATA", "invalid operation")
	case len(q.Resource) == 0:
		return nil, missingKey("resource", "$.resource")
	}
	for i := range q.Resource {
		if err := q.Resource[i].check(i, q.Operation); err != nil {
			return nil, err
		}
	}
	return &q, q.Callback.check()
}

func (r *writeResource) check(i int, operation string) *apiError {
	path := fmt.Sprintf("$.resource[%d].", i)
	switch {
	case r.Type == "":
		return missingKey("type", path+"type")
	case r.Type != "data":
		return bad("INVALID_DATA", "invalid type")
	case r.Module == "":
		return missingKey("module", path+"module")
	case r.FileID == "":
		return missingKey("file_id", path+"file_id")
	case !digits(string(r.FileID)):
		return bad("INVALID_FILE_ID", "improper file id")
	case i == 0 && operation != "insert" && r.FindBy == "":
		return requiredKey("find_by")
	}
	for _, m := range r.Mappings {
		if m.APIName == "" {
			return missingKey("api_name", path+"field_mappings")
		}
		if m.Index == nil && m.Default == nil {
			return bad("MISSING_REQUIRED_KEY", "required key index for field "+m.APIName+" is not found in request body.")
		}
	}
	return nil
}

func createBulkWrite(c *call) reply {
	if err := c.mayBegin(); err != nil {
		return err.reply()
	}
	q, err := c.parseWrite()
	if err != nil {
		return err.reply()
	}
	w := &writeJob{request: q, conf: c.conf}
	for i := range q.Resource {
		r := &q.Resource[i]
		if !c.token.allows(c.moduleNeed(string(r.Module), "CREATE")) {
			return errScope().reply()
		}
		p, doom, err := c.planWrite(r, q, i)
		if err != nil {
			return err.reply()
		}
		w.plans = append(w.plans, p)
		if doom != nil && w.doom == nil {
			w.doom = doom
		}
	}
	if c.sim.files.use(w.plans[0].file) && c.conf.Variants.FileUsedOnce {
		return bad("ALREADY_USED", "the file is already used").reply()
	}
	j := &job{write: w, notify: q.Callback, doomed: w.doom}
	c.startJob(j)
	c.sim.log.jobCreated(c.now, func(n *Counters) { n.BulkWriteJobs++ })
	return reply{status: 201, body: writeCreated{"success", "SUCCESS", "success", createdDetails{j.id, c.sim.org.nameOf(0)}}}
}

type writeCreated struct {
	Status  string         `json:"status"`
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Details createdDetails `json:"details"`
}

type createdDetails struct {
	ID        string `json:"id"`
	CreatedBy idName `json:"created_by"`
}

// planWrite opens the file and compiles one resource. doom is a reason to fail later instead of refusing now.
func (c *call) planWrite(r *writeResource, q *writeRequest, i int) (p *loadPlan, doom, err *apiError) {
	up := c.sim.files.get(string(r.FileID))
	if up == nil {
		return nil, nil, bad("INVALID_FILE_ID", "improper file id")
	}
	p = &loadPlan{resource: r, file: up, operation: q.Operation, child: i > 0, ignoreEmpty: q.IgnoreEmpty}
	if r.IgnoreEmpty != nil {
		p.ignoreEmpty = *r.IgnoreEmpty
	}
	var rows int
	if p.entry, p.header, rows, err = inspect(up.path, r.FileNames, len(q.Resource) > 1 && len(r.FileNames) > 0); err != nil {
		return nil, nil, err
	}
	if most := c.conf.Variants.ChildRows; rows > c.conf.Variants.RowLimit || p.child && most > 0 && rows > most {
		return nil, nil, errFile()
	}
	if len(p.header) > 200 || len(r.Mappings) > 200 {
		return nil, nil, bad("HEADER_LIMIT_EXCEEDED", "header limit exceeded")
	}
	p.total = rows
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	p.table = s.tables[string(r.Module)]
	if p.table == nil || p.table.NoBulkWrite || p.table.NoAPI {
		return nil, nil, bad("MODULE_NOT_AVAILABLE", fmt.Sprintf("Requested module '%s' is not available.", r.Module))
	}
	if err = p.compile(s, c.conf); err != nil {
		return nil, nil, err
	}
	if err = p.checkMandatory(c.conf.Variants); err != nil && c.conf.Variants.MandatoryAsFailedJob {
		return p, err, nil
	}
	return p, nil, err
}

func (p *loadPlan) checkMandatory(v Variants) *apiError {
	if p.operation == "update" && !v.MandatoryOnUpdate {
		return nil
	}
	var lacking []string
	for _, f := range p.table.fields {
		if f.mandatory() && !slices.ContainsFunc(p.columns, func(c column) bool { return c.field == f }) {
			lacking = append(lacking, f.APIName)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return bad("MANDATORY_FIELDS_NOT_MAPPED", "All mandatory fields are not mapped for the layout ["+strings.Join(lacking, ", ")+"]")
}

func errFile() *apiError { return bad("FILE_NOT_SUPPORTED", "File not supported for bulk write") }
