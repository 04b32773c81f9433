package zoho

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// recordCalls is how many record calls one chunk has under way at once. Zoho
// allows ten heavy calls in all; the limits keep it to that across chunks.
const recordCalls = 4

// writeRecords writes rows of a chunk by record calls of 100. The answers come
// in the order of the records, so every row has its own outcome. Plain inserts
// are journaled first, since a lost answer may hide a hundred new records.
func (w *writer) writeRecords(ctx context.Context, chunk *connector.Chunk, rows []int) error {
	if !w.plan.idempotent() {
		handle := jobHandle{Module: w.plan.module.APIName, Rows: len(rows)}
		if err := chunk.Prepare(ctx, handle.text(), false); err != nil {
			return err
		}
	}
	at, err := w.columnsOf(chunk)
	if err != nil {
		return err
	}
	chunk.Progress(fmt.Sprintf("writing %d records to %s by record calls for %d credits", len(rows), w.plan.module.APIName, recordsCost(len(rows))), connector.WaitingNone, time.Time{})
	return w.inGroups(ctx, chunk, rows, func(group []int) groupAnswer {
		answer, records := w.objects(chunk.Records, at, group)
		if len(records) > 0 {
			answer.results, answer.err = w.call(ctx, records)
		}
		return answer
	}, w.recordOutcome)
}

// recordsCost is the credits that writing rows by record calls takes.
func recordsCost(rows int) int {
	credits := 0
	for ; rows > 0; rows -= crm.MaxRecordsPerWrite {
		credits += crm.Cost(crm.OpRecordsUpsert, min(rows, crm.MaxRecordsPerWrite))
	}
	return credits
}

// groupAnswer is what became of a group: rows that could not be sent, and a
// result for each row sent, or the error of the whole call.
type groupAnswer struct {
	invalid map[int]*connector.Error
	sent    []int
	results []crm.RecordResult
	err     error
}

// inGroups cuts rows into groups of 100 and makes a few calls at once. After an
// error that would befall every call, or when the context ends, the remaining
// groups are settled without being sent. The first such error is returned.
func (w *writer) inGroups(ctx context.Context, chunk *connector.Chunk, rows []int, call func(group []int) groupAnswer, settle func(*connector.Chunk, int, crm.RecordResult)) error {
	groups := slices.Collect(slices.Chunk(rows, crm.MaxRecordsPerWrite))
	var mu sync.Mutex // guards next, stop and the chunk's outcomes
	var stop *connector.Error
	next := 0
	take := func() []int {
		mu.Lock()
		defer mu.Unlock()
		if stop == nil {
			stop = mayNotBegin(ctx, chunk)
		}
		if stop != nil || next == len(groups) {
			return nil
		}
		next++
		return groups[next-1]
	}
	var workers sync.WaitGroup
	for range min(recordCalls, len(groups)) {
		workers.Go(func() {
			for group := take(); group != nil; group = take() {
				answer := call(group)
				mu.Lock()
				if e := w.settleGroup(chunk, answer, settle); e != nil && stop == nil {
					stop = e
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	if stop == nil {
		return nil
	}
	for _, group := range groups[next:] {
		failAll(chunk, group, stop)
	}
	return stop
}

// mayNotBegin says why no further call is to be made, nil when one may be. The
// chunk knows of a stop before the context ends: a call under way is given time.
func mayNotBegin(ctx context.Context, chunk *connector.Chunk) *connector.Error {
	if ctx.Err() != nil {
		return connector.AsError(context.Cause(ctx))
	}
	return connector.AsError(chunk.Stopped())
}

// settleGroup gives the rows of a group their outcomes. It returns an error
// that would befall every other group.
func (w *writer) settleGroup(chunk *connector.Chunk, a groupAnswer, settle func(*connector.Chunk, int, crm.RecordResult)) *connector.Error {
	for row, e := range a.invalid {
		chunk.Fail(row, connector.StatusInvalid, e, "")
	}
	if a.err == nil {
		for i, row := range a.sent {
			settle(chunk, row, a.results[i])
		}
		return nil
	}
	e := w.groupFailed(chunk, a.sent, a.err)
	if stopsRun(e.Class) || e.Class == connector.ClassQuotaExhausted {
		return e
	}
	return nil
}

// groupFailed settles the rows of a call that failed as a whole.
func (w *writer) groupFailed(chunk *connector.Chunk, sent []int, err error) *connector.Error {
	e := translate(err, "writing records to "+w.plan.module.APIName)
	if chunk.Records.Action == connector.ActionDelete || answered(err) || notSent(err) {
		failAll(chunk, sent, e)
	} else {
		w.doubt(chunk, sent, e)
	}
	return e
}

func (w *writer) call(ctx context.Context, records []jsontext.Value) ([]crm.RecordResult, error) {
	module, client := w.plan.module.APIName, w.session.client
	switch w.plan.operation() {
	case crm.BulkInsert:
		return client.Insert(ctx, module, records, crm.WriteOptions{})
	case crm.BulkUpdate:
		return client.Update(ctx, module, records, crm.WriteOptions{})
	}
	return client.Upsert(ctx, module, records, crm.WriteOptions{DuplicateCheck: []string{w.plan.key}, Repeatable: w.plan.idempotent()})
}

// objects renders rows as JSON and sets aside those that cannot be sent.
func (w *writer) objects(batch *connector.RecordBatch, at, rows []int) (groupAnswer, []jsontext.Value) {
	answer := groupAnswer{invalid: map[int]*connector.Error{}}
	var out []jsontext.Value
	for _, row := range rows {
		b, e := w.object(batch, at, row)
		if e != nil {
			answer.invalid[row] = e
			continue
		}
		answer.sent, out = append(answer.sent, row), append(out, b)
	}
	return answer, out
}

// object renders one row. An empty value is null, or left out when empty
// values are to be ignored.
func (w *writer) object(batch *connector.RecordBatch, at []int, row int) (jsontext.Value, *connector.Error) {
	b := []byte{'{'}
	member := func(name string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b, _ = quotedJSON(b, name)
		b = append(b, ':')
	}
	if w.plan.operation() == crm.BulkUpdate && w.plan.key != idField {
		member(idField)
		b, _ = quotedJSON(b, batch.AppIdentifiers[row])
	}
	if w.plan.layout != "" {
		member(layoutField)
		b, _ = referenceJSON(idField, plainCell)(b, w.plan.layout)
	}
	for i, t := range w.plan.columns {
		text := batch.Columns[at[i]].Texts[row]
		if text == "" && w.plan.ignoreEmpty {
			continue
		}
		member(t.field.APIName)
		if text == "" {
			b = append(b, "null"...)
			continue
		}
		var problem string
		if b, problem = t.json(b, text); problem != "" {
			return nil, invalid("INVALID_VALUE", t.name, problem)
		}
	}
	return append(b, '}'), nil
}

// recordOutcome settles a row by the answer of a record call.
func (w *writer) recordOutcome(chunk *connector.Chunk, row int, r crm.RecordResult) {
	if r.OK {
		chunk.Succeed(row, r.ID)
		return
	}
	detail := recordDetail(r)
	if w.plan.strategy == strategyCreate && w.plan.key != "" && r.Code == "DUPLICATE_DATA" && (r.Field == w.plan.key || r.Field == "") {
		chunk.SucceedWith(row, r.ID, detail)
		return
	}
	status, class := refusalOf(r.Code)
	e := &connector.Error{Class: class, Code: r.Code, Message: "Zoho refused the record: " + r.Code + ": " + strings.TrimSpace(r.Message)}
	if r.Field != "" {
		e.Fields = []connector.FieldViolation{{Field: r.Field, Description: meaningOf(r.Code)}}
	}
	chunk.Fail(row, status, e, detail)
}

// recordDetail is the answer in Zoho's words, without values: details may
// repeat what was sent.
func recordDetail(r crm.RecordResult) string {
	d := struct {
		Code    string `json:"code"`
		Message string `json:"message,omitempty"`
		Field   string `json:"field,omitempty"`
		ID      string `json:"id,omitempty"`
	}{r.Code, r.Message, r.Field, r.ID}
	b, _ := json.Marshal(d) // strings always encode
	return string(b)
}

// delete deletes the chunk's records by id. A record that is gone already is
// what was wanted.
func (w *writer) delete(ctx context.Context, chunk *connector.Chunk) error {
	ids := make(map[int]string, chunk.Len())
	rows := make([]int, 0, chunk.Len())
	for row := range chunk.Len() {
		if chunk.Settled(row) {
			continue
		}
		id, e := deleteID(chunk.Records, row)
		if e != nil {
			chunk.Fail(row, connector.StatusInvalid, e, "")
			continue
		}
		ids[row], rows = id, append(rows, row)
	}
	chunk.ReleaseValues()
	chunk.Progress(fmt.Sprintf("deleting %d records of %s", len(rows), w.plan.module.APIName), connector.WaitingNone, time.Time{})
	return w.inGroups(ctx, chunk, rows, func(group []int) groupAnswer {
		batch := make([]string, len(group))
		for i, row := range group {
			batch[i] = ids[row]
		}
		results, err := w.session.client.Delete(ctx, w.plan.module.APIName, batch, crm.DeleteOptions{NoTrigger: true})
		return groupAnswer{sent: group, results: results, err: err}
	}, func(chunk *connector.Chunk, row int, r crm.RecordResult) { w.deleteOutcome(chunk, row, ids[row], r) })
}

// deleteID is the record to delete: as the host knows it, or as mapped.
func deleteID(batch *connector.RecordBatch, row int) (string, *connector.Error) {
	text := ""
	if row < len(batch.AppIdentifiers) {
		text = batch.AppIdentifiers[row]
	}
	if at := batch.Schema.Column(idField); text == "" && at >= 0 {
		text = batch.Columns[at].Texts[row]
	}
	if text == "" {
		return "", invalid("ID_UNKNOWN", idField, "unknown; only records whose Zoho id is known can be deleted")
	}
	id, problem := idCell(text)
	if problem != "" {
		return "", invalid("INVALID_VALUE", idField, problem)
	}
	return id, nil
}

func (w *writer) deleteOutcome(chunk *connector.Chunk, row int, id string, r crm.RecordResult) {
	switch {
	case r.OK:
		chunk.Succeed(row, id)
	case r.Code == "INVALID_DATA" || r.Code == "RESOURCE_NOT_FOUND":
		chunk.SucceedWith(row, id, recordDetail(r))
	default:
		w.recordOutcome(chunk, row, r)
	}
}

// validateDeletes finds rows whose id is not known.
func validateDeletes(batch *connector.RecordBatch) []connector.RowOutcome {
	var out []connector.RowOutcome
	for row := range batch.Rows {
		if _, e := deleteID(batch, row); e != nil {
			out = append(out, connector.RowOutcome{Row: row, Status: connector.StatusInvalid, Error: e})
		}
	}
	return out
}
