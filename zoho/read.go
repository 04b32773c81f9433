package zoho

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// jobTries is how many jobs are created for one page before a failure that
// seemed passing is taken as final.
const jobTries = 3

// jobLife is how long after a read began later runs ask for its job, which may
// never end: Zoho keeps results for a day (https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/download-result.html).
const jobLife = 24 * time.Hour

// SyncInbound reads the selected modules.
func (s *session) SyncInbound(ctx context.Context, sync connector.InboundSync, stream connector.InboundStream) error {
	ctx = connector.WithHost(ctx, stream)
	s.tokens.tell(ctx, stream)
	s.catalog.forget()
	workers, err := number(sync.Answers, fieldConcurrency, defaultConcurrency, 1, maxConcurrency)
	if err != nil {
		return err
	}
	overlap, err := number(sync.Answers, fieldOverlap, defaultOverlap, 0, 3600)
	if err != nil {
		return err
	}
	path, err := pathAnswer(sync.Answers)
	if err != nil {
		return err
	}
	every, err := pollAnswer(sync.Answers)
	if err != nil {
		return err
	}
	r := &streamReader{session: s, overlap: time.Duration(overlap) * time.Second, path: path, pollEvery: every}
	managed := connector.ManagedInbound{Concurrency: workers, Read: r.read}
	return managed.Run(ctx, sync, stream)
}

// streamReader reads streams of one inbound sync.
type streamReader struct {
	session *session
	overlap time.Duration
	path    string
	// pollEvery is the wait between two questions about a job; 0 is adaptive.
	pollEvery time.Duration
}

// reading is one stream being read.
type reading struct {
	*streamReader
	module crm.Module
	all    []crm.Field // of the module
	fields []crm.Field // what is asked for, without the id
	zone   *time.Location
	out    *connector.StreamWriter
	state  readState
	begun  []connector.Column
	chosen []string // the fields selected by name; empty for all
	sent   bool     // rows of the present page were sent
	next   *nextPage
	done   int64
}

// read reads one stream up to the run's start and returns its final state.
func (r *streamReader) read(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (string, error) {
	g, err := r.prepare(ctx, selection, out)
	if err != nil {
		return "", err
	}
	defer g.drop()
	upTo := r.session.clock.present(out.Sync().StartedAt)
	full := selection.Mode == connector.ReadFullRefresh
	since := g.state.Cursor
	for {
		if g.state.Open == nil {
			if !full && !g.state.Cursor.Before(upTo) {
				break
			}
			if err := g.choose(selection); err != nil {
				return "", err
			}
			g.state.open(selection.Mode, upTo, r.overlap, fieldNames(g.fields))
			if err := g.chooseWay(ctx); err != nil {
				return "", err
			}
		}
		if err := g.window(ctx); err != nil {
			return "", err
		}
		g.state.Cursor, g.state.Open = g.state.Open.To, nil
		if full {
			return g.state.text(), nil
		}
	}
	if err := g.deleted(ctx, since); err != nil {
		return "", err
	}
	return g.state.text(), nil
}

func (r *streamReader) prepare(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (*reading, error) {
	s := r.session
	g := &reading{streamReader: r, out: out, chosen: selection.Fields}
	modules, err := s.catalog.modules(ctx)
	if err != nil {
		return nil, err
	}
	if g.module, err = readableModule(modules, selection.Name); err != nil {
		return nil, err
	}
	if g.state, err = parseState(selection.State); err != nil {
		return nil, err
	}
	if o := g.state.Open; o != nil && o.Full != (selection.Mode == connector.ReadFullRefresh) {
		g.state.Open = nil // the mode was changed in the middle of a read
	}
	if o := g.state.Open; o != nil && out.Sync().StartedAt.Sub(o.To) > jobLife {
		o.Job = ""
	}
	if g.all, err = s.catalog.fields(ctx, selection.Name); err != nil {
		return nil, err
	}
	if selection.Mode == connector.ReadIncremental && !hasCursor(g.all) {
		return nil, connector.Errorf(connector.ClassConfig, "NO_CURSOR", "the stream %s has no %s and can only be read in full", selection.Name, cursorField)
	}
	if g.zone, err = s.zone.get(ctx, s.client); err != nil {
		return nil, err
	}
	if err := g.choose(selection); err != nil {
		return nil, err
	}
	return g, out.Begin(g.expected())
}

// expected are the columns to send, before a file has shown their order.
func (g *reading) expected() []connector.Column {
	columns := []connector.Column{idColumn}
	for _, f := range g.fields {
		if g.isSent(f.APIName) {
			columns = append(columns, column(f))
		}
	}
	return columns
}

// choose decides the columns: those selected, or all. A read that goes on keeps
// the columns it began with, since a page token is bound to them.
func (g *reading) choose(selection connector.StreamSelection) error {
	wanted := selection.Fields
	g.fields = nil
	if o := g.state.Open; o != nil {
		if !slices.ContainsFunc(wanted, func(name string) bool { return name != idField && !slices.Contains(o.Fields, name) }) {
			wanted = o.Fields
		} else { // more was selected since: begin anew
			g.state.Open = nil
		}
	}
	for _, f := range g.all {
		if readable(f) && (len(wanted) == 0 || slices.Contains(wanted, f.APIName)) {
			g.fields = append(g.fields, f)
		}
	}
	for _, name := range wanted {
		if name != idField && !slices.ContainsFunc(g.fields, func(f crm.Field) bool { return f.APIName == name }) {
			if g.state.Open != nil { // a field went away in the middle of a read: begin anew
				g.state.Open = nil
				return g.choose(selection)
			}
			return configError("UNKNOWN_FIELD", name, "choose a field of the list", "the field %s of stream %s does not exist or cannot be read", name, g.module.APIName)
		}
	}
	if len(g.fields) == 0 {
		g.fields = oneField(g.all)
	}
	if len(g.fields) > crm.BulkReadMaxFields {
		return configError("TOO_MANY_FIELDS", "fields", "choose at most 200 fields", "the stream %s has %d fields selected; Zoho reads %d at once", g.module.APIName, len(g.fields), crm.BulkReadMaxFields)
	}
	return nil
}

// oneField finds a field to ask for when only the id is wanted: asking for no
// field is asking for all.
func oneField(all []crm.Field) []crm.Field {
	for _, f := range all {
		if readable(f) {
			return []crm.Field{f}
		}
	}
	return nil
}

func fieldNames(fields []crm.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.APIName
	}
	return out
}

// window reads the open window, by queries or by bulk reads.
func (g *reading) window(ctx context.Context) error {
	if g.state.Open.Way == wayQueries && g.path == pathBulk { // the way was changed in the middle of a read
		g.state.Open.restart()
	}
	if g.state.Open.Way == wayQueries {
		if done, err := g.queries(ctx); done || err != nil {
			return err
		}
	}
	return g.pages(ctx)
}

// begin says what columns the next rows have, unless that is known.
func (g *reading) begin(columns []connector.Column) error {
	if slices.Equal(columns, g.begun) {
		return nil
	}
	g.begun = columns
	return g.out.Begin(columns)
}

// pages reads the open window page by page, each ending in a checkpoint.
func (g *reading) pages(ctx context.Context) error {
	restarted := false
	for {
		job, err := g.page(ctx)
		if g.tokenRefused(err) && !restarted {
			restarted = true
			g.state.Open.restart()
			continue
		}
		if err != nil {
			return translate(err, "reading "+g.module.APIName)
		}
		if !g.state.Open.next(job) {
			return nil // the caller's state says that the window is read
		}
		g.ahead(ctx)
		if err := g.checkpoint(ctx); err != nil {
			if connector.ClassOf(err) == connector.ClassCancelled {
				g.keep(ctx)
			}
			return err
		}
	}
}

// tokenRefused reports whether Zoho no longer takes the page token; it lasts 24
// hours and belongs to the user.
func (g *reading) tokenRefused(err error) bool {
	return !g.sent && g.state.Open.Token != "" && isCode(err, "EXPIRED_VALUE", "TOKEN_BOUND_DATA_MISMATCH", "INVALID_DATA")
}

func (g *reading) checkpoint(ctx context.Context) error {
	return g.out.Checkpoint(ctx, g.state.text())
}

// page reads one page: creates its job where there is none, waits, downloads
// and sends the rows. What is lost on Zoho's side before the first row was
// sent (an expired result, a failed job, a torn file) is made again.
func (g *reading) page(ctx context.Context) (crm.BulkReadJob, error) {
	g.sent = false
	for try, blocked := 1, 0; ; {
		job, err := g.attempt(ctx)
		if err == nil {
			return job, nil
		}
		if blockedDownload(err) && !g.sent && blocked < downloadBlocks {
			blocked++
			if err := g.waitOut(ctx, err); err != nil {
				return job, err
			}
			continue
		}
		again := crm.IsNotFound(err) && !isCode(err, "EXPIRED_VALUE") || damaged(err)
		if isUnfinished(err) || g.sent || !again || try == jobTries || ctx.Err() != nil {
			return job, err
		}
		try++
		if crm.IsNotFound(err) || isJobFailure(err) {
			g.state.Open.Job = ""
		}
		if err := sleep(ctx, g.session.config.firstPoll); err != nil {
			return job, err
		}
	}
}

// downloadBlocks is how many refusals of one download are waited out.
const downloadBlocks = 3

// blockedDownload reports whether a download was refused for coming too soon.
// The limits keep this process to ten a minute; the downloads of a process
// before it, or of another program, they do not know.
func blockedDownload(err error) bool {
	z, ok := errors.AsType[*crm.Error](err)
	return ok && z.Op == crm.OpBulkReadResult && z.Class() == crm.ClassRateLimited
}

// waitOut waits until a refused download may be repeated: as long as the server
// says, or for the minute of Zoho's block
// (https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/limitations.html).
// Where there is not that much time the refusal is returned, for a later run.
func (g *reading) waitOut(ctx context.Context, refused error) error {
	wait := g.session.config.downloadBlock
	if z, ok := errors.AsType[*crm.Error](refused); ok && z.RetryAfter > 0 {
		wait = z.RetryAfter
	}
	until := g.session.config.now().Add(wait)
	if deadline, ok := ctx.Deadline(); ok && until.After(deadline) {
		e := translate(refused, "downloading the result of a bulk read job")
		e.RetryAfter = wait
		return e
	}
	g.out.Progress("waiting: Zoho allows ten downloads of bulk read results a minute", connector.WaitingLimit, until, g.done, 0)
	return sleep(ctx, wait)
}

func (g *reading) attempt(ctx context.Context) (crm.BulkReadJob, error) {
	o := g.state.Open
	if o.Job == "" {
		id, err := g.create(ctx)
		if err != nil && g.leaveOut(err) {
			return g.attempt(ctx)
		}
		if err != nil {
			return crm.BulkReadJob{}, err
		}
		o.Job = id
		// A crash from here on finds the job again instead of paying for another.
		if err := g.checkpoint(ctx); err != nil {
			return crm.BulkReadJob{}, err
		}
	}
	job, rows, err := g.result(ctx, o.Job)
	if err != nil {
		return job, err
	}
	return job, errors.Join(g.rows(ctx, job, rows), rows.Close())
}

// spec describes the job of the page that the state names.
func (g *reading) spec() crm.BulkReadJobSpec {
	o := g.state.Open
	return crm.BulkReadJobSpec{Module: g.module.APIName, Fields: fieldNames(g.fields), Criteria: o.criteria(), Page: o.Page, PageToken: o.Token}
}

// leaveOut takes a field out of a read of all fields that Zoho lists and yet
// refuses to read, and says so. A field that was asked for by name is not left
// out in silence: then the stream fails.
func (g *reading) leaveOut(err error) bool {
	z, ok := errors.AsType[*crm.Error](err)
	if !ok || len(g.chosen) > 0 || g.state.Open.Token != "" || !isCode(err, "FIELD_NOT_SUPPORTED", "FIELD_NOT_AVAILABLE") {
		return false
	}
	name := detailField(z.Details)
	at := slices.IndexFunc(g.fields, func(f crm.Field) bool { return f.APIName == name })
	if at < 0 || len(g.fields) == 1 {
		return false
	}
	g.fields = slices.Delete(g.fields, at, at+1)
	g.state.Open.Fields = fieldNames(g.fields)
	g.out.Progress("reading "+g.module.APIName+" without field "+name+", which Zoho cannot read in bulk", connector.WaitingNone, time.Time{}, g.done, 0)
	return true
}

// jobFailure is a job that Zoho could not finish.
type jobFailure struct{ cause *crm.Error }

func (e *jobFailure) Error() string { return "the bulk read job failed: " + e.cause.Error() }
func (e *jobFailure) Unwrap() error { return e.cause }

func isJobFailure(err error) bool {
	_, ok := errors.AsType[*jobFailure](err)
	return ok
}

func isUnfinished(err error) bool {
	e, ok := errors.AsType[*connector.Error](err)
	return ok && e.Code == "JOB_UNFINISHED"
}

// await polls a job to its end; say is told of each wait.
func (g *reading) await(ctx context.Context, id string, say func(until time.Time)) (job crm.BulkReadJob, err error) {
	err = g.session.poll(ctx, g.out.Sync().Deadline, g.pollEvery, func() (bool, error) {
		j, err := g.session.client.BulkRead(ctx, id)
		if err != nil {
			return false, err
		}
		job = j
		return j.State.Ended(), nil
	}, say)
	if err == nil && job.State == crm.JobFailed {
		err = &jobFailure{job.Failure}
	}
	return job, err
}
