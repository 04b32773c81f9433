package zohosim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// POST, PUT /crm/{v}/{Module}, PUT /crm/{v}/{Module}/{id} and POST /crm/{v}/{Module}/upsert
//
// Documented: up to 100 records, one answer each in order; 201 or 200 when all went well, 207 mixed, 400 all bad;
// upsert by duplicate_check_fields, else the module's system field, then unique fields. Subform rows and multi-select
// lookups are written with the record. Gaps: no automation behind trigger, no X-EXTERNAL, no $append_values, no
// layout choice; the status of one failing record is 400, or 412 with If-Unmodified-Since.

const maxRecords = 100

type writeBody struct {
	Data      []map[string]json.RawMessage `json:"data"`
	Duplicate []string                     `json:"duplicate_check_fields"`
	Trigger   *[]string                    `json:"trigger"` // absent: all automation; empty: none
}

func recordsCost(c *call) int {
	var b writeBody
	if c.decode(&b) != nil {
		return 1
	}
	return max(1, (min(len(b.Data), maxRecords)+9)/10)
}

func recordsHeavy(c *call) bool {
	var b writeBody
	return c.decode(&b) == nil && len(b.Data) > 10
}

// rowAnswer is one element of a write's answer.
type rowAnswer struct {
	Code      string `json:"code"`
	Duplicate any    `json:"duplicate_field,omitempty"` // upserts only: a name, or null
	Action    string `json:"action,omitempty"`
	Details   any    `json:"details"`
	Message   string `json:"message"`
	Status    string `json:"status"`
	http      int
}

type writtenDetails struct {
	Modified   string `json:"Modified_Time"`
	ModifiedBy idName `json:"Modified_By"`
	Created    string `json:"Created_Time"`
	ID         string `json:"id"`
	CreatedBy  idName `json:"Created_By"`
	Approval   string `json:"$approval_state"`
}

type fieldDetails struct {
	APIName  string   `json:"api_name"`
	Path     string   `json:"json_path"`
	Expected string   `json:"expected_data_type,omitempty"`
	Maximum  int      `json:"maximum_length,omitempty"`
	ID       string   `json:"id,omitempty"`
	Module   *refWire `json:"module,omitempty"`
	Dup      *dupWire `json:"duplicate_record,omitempty"`
}

type dupWire struct {
	ID     string  `json:"id"`
	Module refWire `json:"module"`
}

func rowError(e *apiError) rowAnswer {
	env := e.envelope()
	return rowAnswer{Code: env.Code, Details: env.Details, Message: env.Message, Status: env.Status, http: e.http}
}

func insertRecords(c *call) reply { return c.writeAll("insert") }

func updateRecords(c *call) reply { return c.writeAll("update") }

func upsertRecords(c *call) reply { return c.writeAll("upsert") }

func updateRecord(c *call) reply { return c.writeAll("one") }

func (c *call) writeAll(kind string) reply {
	var b writeBody
	if c.decode(&b) != nil {
		return bad("INVALID_DATA", "the request body is not valid JSON").reply()
	}
	s := c.sim.store
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[c.params["module"]]
	switch {
	case t == nil || t.NoAPI:
		return errModule().reply()
	case len(b.Data) == 0:
		return bad("MANDATORY_NOT_FOUND", "required field not found").with(fieldDetails{APIName: "data", Path: "$.data"}).reply()
	case len(b.Data) > maxRecords:
		return bad("LIMIT_EXCEEDED", "more than 100 records").with(maxLimit{maxRecords}).reply()
	}
	w := &recordWriter{call: c, table: t, duplicate: b.Duplicate, parse: parser{loc: c.sim.org.zone(), rejectPicks: true}}
	answers := make([]rowAnswer, len(b.Data))
	for i, row := range b.Data {
		w.path = fmt.Sprintf("$.data[%d]", i)
		answers[i] = w.write(kind, row)
	}
	c.countWorkflows(&b, answers)
	return answerRows(answers, map[bool]int{true: http.StatusCreated, false: http.StatusOK}[kind == "insert"])
}

func (c *call) countWorkflows(b *writeBody, answers []rowAnswer) {
	if b.Trigger != nil && len(*b.Trigger) == 0 {
		return
	}
	c.sim.log.count(func(n *Counters) {
		for _, a := range answers {
			if a.Status == "success" {
				n.Workflows++
			}
		}
	})
}

// answerRows picks the HTTP status: good when all are, 207 mixed, the failure's when all failed.
func answerRows(rows []rowAnswer, good int) reply {
	failed := 0
	status := http.StatusBadRequest
	for _, r := range rows {
		if r.Status == "error" {
			failed++
			if len(rows) == 1 {
				status = defaulted(r.http, status)
			}
		}
	}
	rep := reply{status: good, body: struct {
		Data []rowAnswer `json:"data"`
	}{rows}}
	switch {
	case failed == len(rows):
		rep.status, rep.code = status, rows[0].Code
	case failed > 0:
		rep.status, rep.code = http.StatusMultiStatus, "MIXED"
	}
	return rep
}

// recordWriter writes the rows of one call; the store is locked.
type recordWriter struct {
	call      *call
	table     *table
	parse     parser
	change    change
	children  []childRows
	duplicate []string
	path      string
}

type childRows struct {
	field *Field
	rows  []map[string]json.RawMessage
}

func (w *recordWriter) write(kind string, row map[string]json.RawMessage) rowAnswer {
	w.change.reset()
	w.children = w.children[:0]
	if err := w.fill(row); err != nil {
		return rowError(err)
	}
	if err := w.checkChildren(); err != nil {
		return rowError(err)
	}
	old, dup, err := w.target(kind, row)
	if err != nil {
		return rowError(err)
	}
	if miss := w.table.missing(&w.change, old == nil); len(miss) > 0 {
		name := miss[0].APIName
		return rowError(bad("MANDATORY_NOT_FOUND", "required field not found").with(fieldDetails{APIName: name, Path: w.path + "." + name}))
	}
	if err := w.clash(old); err != nil {
		return rowError(err)
	}
	r := w.table.apply(w.call.sim.store, old, &w.change, w.call.now, 0)
	w.writeChildren(r)
	return w.success(kind, old == nil, dup, r)
}

func (w *recordWriter) success(kind string, added bool, dup *string, r *record) rowAnswer {
	o := w.call.sim.org
	a := rowAnswer{Code: "SUCCESS", Status: "success", Message: "record updated", Details: writtenDetails{ID: itoa(r.id), Created: o.stamp(r.created), Modified: o.stamp(r.modified),
		CreatedBy: o.nameOf(r.createdBy), ModifiedBy: o.nameOf(r.modifiedBy), Approval: "approved"}}
	if added {
		a.Message = "record added"
	}
	if kind == "upsert" {
		a.Action, a.Duplicate = "update", json.RawMessage("null")
		if dup != nil {
			a.Duplicate = *dup
		}
		if added {
			a.Action = "insert"
		}
	}
	return a
}

// target finds the record to change: none for an insert.
func (w *recordWriter) target(kind string, row map[string]json.RawMessage) (old *record, dup *string, err *apiError) {
	var text idText
	_ = json.Unmarshal(row["id"], &text) // an unusable id is answered below
	switch {
	case kind == "insert":
		return nil, nil, nil
	case kind == "one":
		text = idText(w.call.params["id"])
	case kind == "upsert" && text == "":
		return w.duplicateOf()
	case text == "":
		return nil, nil, bad("MANDATORY_NOT_FOUND", "required field not found").with(fieldDetails{APIName: "id", Path: w.path + ".id"})
	}
	id, _ := parseID(string(text))
	if old = w.table.find(id); old == nil {
		return nil, nil, bad("INVALID_DATA", "the id given seems to be invalid").with(fieldDetails{APIName: "id", Path: w.path + ".id"})
	}
	if h := w.call.r.Header.Get("If-Unmodified-Since"); h != "" {
		if at, ok := instant(h); ok && utc(old.modified) > at.text {
			return nil, nil, fail(http.StatusPreconditionFailed, "ALREADY_MODIFIED", "the record is already modified")
		}
	}
	return old, nil, nil
}

var systemDuplicates = map[string]string{"Leads": "Email", "Contacts": "Email", "Accounts": "Account_Name", "Deals": "Deal_Name", "Campaigns": "Campaign_Name",
	"Cases": "Subject", "Products": "Product_Name", "Vendors": "Vendor_Name", "Vehicles": "Name"}

// duplicateOf applies the upsert rule: listed fields first, else the system field; then the unique fields.
func (w *recordWriter) duplicateOf() (*record, *string, *apiError) {
	names := slices.Clone(w.duplicate)
	if len(names) == 0 {
		if f := systemDuplicates[w.table.APIName]; f != "" {
			names = append(names, f)
		}
	}
	for _, n := range names {
		if w.table.byName[n] == nil {
			return nil, nil, bad("INVALID_DATA", "invalid duplicate_check_fields").with(fieldDetails{APIName: n, Path: "$.duplicate_check_fields"})
		}
	}
	for _, f := range w.table.fields {
		if f.Unique && !slices.Contains(names, f.APIName) {
			names = append(names, f.APIName)
		}
	}
	for _, n := range names {
		f := w.table.byName[n]
		if v, given := w.change.value(f); given && v.set {
			if r := w.table.findBy(f, v.text); r != nil {
				return r, &f.APIName, nil
			}
		}
	}
	return nil, nil, nil
}

// findBy finds a record by a field's value, through the index when there is one.
func (t *table) findBy(f *Field, v string) *record {
	if f.Unique {
		return t.find(t.holder(f, v))
	}
	for _, r := range t.recs {
		if !r.deleted && f.slot >= 0 && strings.EqualFold(at(r.data, f.slot).text, v) {
			return r
		}
	}
	return nil
}

func (w *recordWriter) clash(old *record) *apiError {
	self := int64(0)
	if old != nil {
		self = old.id
	}
	fields, holder := w.table.clash(&w.change, self)
	if len(fields) == 0 {
		return nil
	}
	module := refWire{w.table.APIName, itoa(w.table.id)}
	return bad("DUPLICATE_DATA", "duplicate data").with(fieldDetails{APIName: fields[0].APIName, Path: w.path + "." + fields[0].APIName,
		ID: itoa(holder), Module: &module, Dup: &dupWire{itoa(holder), module}})
}
