package zoho

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// maxChunkText bounds the text of one chunk. A job of 25,000 records of the
// usual 300 bytes has 8 MB; a zip of 25 MB inflates to some 75 MB.
const maxChunkText = 48 << 20

// loaded bounds the chunks that hold their values: one is gathered, others are
// zipped and uploaded, for which there are not more processors and lines in the
// way of more. Jobs wait for Zoho without their values.
const loaded = 3

// jobCost is the least that a bulk job costs, whatever its size: its creation, a
// question about it, and the report. Uploads are not on Zoho's list of costs.
var jobCost = crm.Cost(crm.OpBulkWriteCreate, 0) + crm.Cost(crm.OpBulkWriteStatus, 0) + crm.Cost(crm.OpBulkWriteResult, 0)

// writer runs one outbound sync.
type writer struct {
	session *session
	plan    *plan
	sync    connector.OutboundSync
	// fatal is what one job found out that would befall all others, such as a
	// mandatory field that is not mapped; each would cost 500 credits to learn.
	fatal atomic.Pointer[connector.Error]
}

// SyncOutbound writes the stream's records to the chosen module.
func (s *session) SyncOutbound(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
	ctx = connector.WithHost(ctx, stream)
	s.tokens.tell(ctx, stream)
	s.catalog.forget()
	p, err := s.compile(ctx, sync)
	if err != nil {
		return err
	}
	w := &writer{session: s, plan: p, sync: sync}
	managed := connector.ManagedOutbound{
		MaxRecords: p.batch, MaxBytes: maxChunkText, Concurrency: p.workers, Write: w.write, Resume: w.resume,
	}
	if p.path != pathRecords { // record calls need the values to their end
		managed.Loaded = loaded
	}
	return managed.Run(ctx, sync, stream)
}

// write applies one chunk: deletions by record calls, everything else by the
// cheaper road.
func (w *writer) write(ctx context.Context, chunk *connector.Chunk) error {
	if e := w.fatal.Load(); e != nil {
		return e
	}
	if chunk.Records.Action == connector.ActionDelete {
		return w.delete(ctx, chunk)
	}
	rows, err := w.selectRows(chunk)
	if err != nil || len(rows) == 0 {
		return err
	}
	if w.plan.byRecords(len(rows), hasAppIdentifiers(chunk)) || w.plan.path == pathAuto && w.session.keyRefused.Load() && w.sameByCalls(chunk) {
		return w.writeRecords(ctx, chunk, rows)
	}
	return w.writeBulk(ctx, chunk, rows)
}

// byRecords chooses the path of a chunk's rows, whose ids in Zoho may be known.
// The upsert of record calls goes on to the other unique fields when the key finds
// nothing, which could hit another record: then they must be asked for.
func (p *plan) byRecords(rows int, idsKnown bool) bool {
	switch {
	case p.path == pathBulk, !p.recordsPossible(idsKnown):
		return false
	case p.path == pathRecords:
		return true
	case p.operation() == crm.BulkUpsert && p.otherUnique:
		return false
	}
	return recordsCost(rows) <= jobCost
}

// recordsPossible reports whether record calls can do it at all: they find
// records for an update by id only.
func (p *plan) recordsPossible(idsKnown bool) bool {
	return !p.bulkOnly && (p.operation() != crm.BulkUpdate || p.key == idField || idsKnown)
}

func hasAppIdentifiers(chunk *connector.Chunk) bool {
	ids := chunk.Records.AppIdentifiers
	if len(ids) != chunk.Len() {
		return false
	}
	for _, id := range ids {
		if id == "" {
			return false
		}
	}
	return true
}

// columnsOf finds the plan's targets in a chunk's columns.
func (w *writer) columnsOf(chunk *connector.Chunk) ([]int, error) {
	at := make([]int, len(w.plan.columns))
	for i, t := range w.plan.columns {
		if at[i] = chunk.Records.Schema.Column(t.name); at[i] < 0 {
			return nil, connector.Errorf(connector.ClassInternal, "COLUMN_MISSING", "the records hold no column for the mapped field %s", t.name)
		}
	}
	return at, nil
}

// selectRows settles the rows whose key cannot be sent and returns the others:
// a key must be there, and must be there once, since Zoho does not say which
// of two rows with the same key wins.
func (w *writer) selectRows(chunk *connector.Chunk) ([]int, error) {
	rows := make([]int, 0, chunk.Len())
	for i := range chunk.Len() {
		if !chunk.Settled(i) {
			rows = append(rows, i)
		}
	}
	if w.plan.key == "" {
		return rows, nil
	}
	at, err := w.columnsOf(chunk)
	if err != nil {
		return nil, err
	}
	problems := keyProblems(w.plan, chunk.Records.Columns[at[0]], rows)
	sendable := rows[:0]
	for _, row := range rows {
		if e := problems[row]; e != nil {
			chunk.Fail(row, connector.StatusInvalid, e, "")
			continue
		}
		sendable = append(sendable, row)
	}
	return sendable, nil
}

// keyProblems finds rows without a key and rows that share one.
func keyProblems(p *plan, keys connector.Values, rows []int) map[int]*connector.Error {
	problems := map[int]*connector.Error{}
	first := make(map[string]int, len(rows))
	for _, row := range rows {
		key := strings.TrimSpace(keys.Texts[row])
		if key == "" {
			problems[row] = invalid("KEY_MISSING", p.key, "empty; it is the unique field")
			continue
		}
		if !p.keyCase {
			key = strings.ToLower(key)
		}
		other, seen := first[key]
		if !seen {
			first[key] = row
			continue
		}
		for _, r := range []int{other, row} {
			problems[r] = invalid("KEY_REPEATED", p.key, "the same in several records of this batch, though it is the unique field")
		}
	}
	return problems
}

// ValidateRecords finds the rows that would not be sent, without network: keys
// always, values where the module's fields are known from an earlier call.
func (s *session) ValidateRecords(_ context.Context, sync connector.OutboundSync, batch *connector.RecordBatch) ([]connector.RowOutcome, error) {
	if batch.Action == connector.ActionDelete {
		return validateDeletes(batch), nil
	}
	p := &plan{strategy: sync.Strategy.Name, key: sync.Answers.Get(fieldUnique), keyCase: true}
	problems := map[int]*connector.Error{}
	if at := batch.Schema.Column(p.key); p.key != "" && at >= 0 {
		rows := make([]int, batch.Rows)
		for i := range rows {
			rows[i] = i
		}
		problems = keyProblems(p, batch.Columns[at], rows)
	}
	s.validateValues(sync, batch, problems)
	var out []connector.RowOutcome
	for i := range batch.Rows {
		if e := problems[i]; e != nil {
			out = append(out, connector.RowOutcome{Row: i, Status: connector.StatusInvalid, Error: e})
		}
	}
	return out, nil
}

// validateValues checks values against the types of the fields, as far as the
// catalog remembers them.
func (s *session) validateValues(sync connector.OutboundSync, batch *connector.RecordBatch, problems map[int]*connector.Error) {
	fields, ok := s.catalog.known(sync.Answers.Get(fieldModule))
	if !ok {
		return
	}
	zone := s.zone.orUTC()
	for i, c := range batch.Schema.Columns {
		t, ok := offlineTarget(fields, c.Name)
		if !ok {
			continue
		}
		t.render(zone)
		for row, text := range batch.Columns[i].Texts {
			if problems[row] != nil || text == "" {
				continue
			}
			if _, problem := t.cell(text); problem != "" && problem != timeTwice {
				problems[row] = invalid("INVALID_VALUE", c.Name, problem)
			}
		}
	}
}

func offlineTarget(fields []crm.Field, name string) (target, bool) {
	if name == idField {
		return target{name: name, isID: true}, true
	}
	for _, f := range fields {
		if f.APIName == name {
			t := target{name: name, field: f}
			if isUser(f) || f.DataType == "lookup" {
				t.findBy = idField
			}
			return t, true
		}
	}
	return target{}, false
}

// failAll settles rows that were certainly not applied with what the error
// means for them.
func failAll(chunk *connector.Chunk, rows []int, e *connector.Error) {
	for _, row := range rows {
		if !chunk.Settled(row) {
			chunk.Fail(row, connector.StatusFor(e.Class), e, "")
		}
	}
}

// doubt settles rows that may or may not have been applied: where repeating
// does no harm they are sent again, otherwise the user decides.
func (w *writer) doubt(chunk *connector.Chunk, rows []int, e *connector.Error) {
	status := connector.StatusInDoubt
	if w.plan.idempotent() {
		status = connector.StatusRetry
	}
	for _, row := range rows {
		if !chunk.Settled(row) {
			chunk.Fail(row, status, e, "")
		}
	}
}

// stopsRun reports whether an error would befall every other chunk too.
func stopsRun(c connector.Class) bool {
	return c == connector.ClassAuth || c == connector.ClassPermission || c == connector.ClassConfig
}

// isCode reports whether an error carries one of Zoho's codes.
func isCode(err error, codes ...string) bool {
	z, ok := errors.AsType[*crm.Error](err)
	if !ok {
		return false
	}
	for _, c := range codes {
		if z.Code == c {
			return true
		}
	}
	return false
}
