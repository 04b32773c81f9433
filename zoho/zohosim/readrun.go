package zohosim

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// GET /crm/bulk/{v}/read/{job_id} and GET /crm/bulk/{v}/read/{job_id}/result
//
// Documented: states ADDED, QUEUED, IN PROGRESS, COMPLETED, FAILURE; result only when finished, with count,
// more_records, a relative download_url and next_page_token; ten downloads a minute, then 429 and a minute's block;
// results kept one day. Column Id comes first. Rows come by ascending id, which Zoho does not promise.

type readStatusAnswer struct {
	Data []readStatusWire `json:"data"`
}

type readStatusWire struct {
	ID        string        `json:"id"`
	Operation string        `json:"operation"`
	State     string        `json:"state"`
	Result    any           `json:"result,omitempty"`
	Query     readQueryWire `json:"query"`
	CreatedBy idName        `json:"created_by"`
	Created   string        `json:"created_time"`
	FileType  string        `json:"file_type"`
	Callback  *callback     `json:"callback,omitempty"`
}

type readQueryWire struct {
	Module   refWire  `json:"module"`
	Fields   []string `json:"fields,omitempty"`
	Criteria any      `json:"criteria,omitempty"`
	Page     int      `json:"page"`
}

type readResultWire struct {
	Page     int    `json:"page"`
	PerPage  int    `json:"per_page"`
	Count    int    `json:"count"`
	URL      string `json:"download_url"`
	More     bool   `json:"more_records"`
	Next     string `json:"next_page_token,omitempty"`
	NextLife string `json:"page_token_expiry,omitempty"`
}

type readFailure struct {
	Error envelope `json:"error_message"`
}

func (s *Sim) readStatus(j *job, ph phase) readStatusAnswer {
	rj := j.readJob
	w := readStatusWire{ID: j.id, Operation: "read", CreatedBy: s.org.nameOf(0), Created: s.org.stamp(j.created.Unix()), FileType: rj.fileType, Callback: j.notify,
		Query: readQueryWire{Module: refWire{rj.table.APIName, itoa(rj.table.id)}, Fields: rj.query.Fields, Page: rj.page}}
	if len(rj.query.Criteria) > 0 {
		w.Query.Criteria = rj.query.Criteria
	}
	switch ph {
	case phaseAdded:
		w.State = "ADDED"
	case phaseQueued:
		w.State = "QUEUED"
	case phaseRunning:
		w.State = "IN PROGRESS"
	case phaseFailed:
		w.State = "FAILURE"
		w.Result = readFailure{j.failed.envelope()}
	case phaseDone:
		w.State = "COMPLETED"
		r := readResultWire{Page: rj.page, PerPage: rj.conf.PageRows, Count: rj.count, More: rj.more, Next: rj.next, URL: "/crm/bulk/v8/read/" + j.id + "/result"}
		if rj.next != "" {
			r.NextLife = s.org.stamp(rj.expires.Unix())
		}
		w.Result = r
	}
	return readStatusAnswer{[]readStatusWire{w}}
}

func getBulkRead(c *call) reply {
	j := c.sim.jobs.get(c.params["id"])
	if j == nil || j.readJob == nil {
		return errNoResource().reply()
	}
	return ok(c.sim.readStatus(j, c.sim.look(j)))
}

func downloadBulkRead(c *call) reply {
	j := c.sim.jobs.get(c.params["id"])
	if j == nil || j.readJob == nil {
		return errNoResource().reply()
	}
	if !c.sim.downs.allow(c.now, 10) && !c.conf.DisableDownloadLimit {
		c.sim.log.count(func(n *Counters) { n.ThrottledDownloads++ })
		return c.conf.errTooMany().reply()
	}
	path, err := j.resultFile(c, readRetention)
	if err != nil {
		return err.reply()
	}
	c.sim.log.count(func(n *Counters) { n.Downloads++ })
	return reply{status: http.StatusOK, file: path, fileName: j.id + ".zip", ctype: c.conf.Variants.ReadContentType}
}

// runRead streams one page of matching records into the job's zip. It works on a snapshot, so writes go on meanwhile.
func (s *Sim) runRead(j *job) (path string, fault *apiError) {
	path = filepath.Join(s.dir, "read-"+j.id+".zip")
	f, err := os.Create(path)
	if err != nil {
		return "", errInternal()
	}
	z := newZip(f)
	entry, err := z.Create(j.id + ".csv")
	if err == nil {
		out := bufio.NewWriterSize(entry, 64<<10)
		err = errors.Join(s.readPage(j.readJob, out), out.Flush())
	}
	if err = errors.Join(err, z.Close(), f.Close()); err != nil {
		return "", &apiError{code: "INTERNAL_SERVER_ERROR", message: "Internal server error occurred."}
	}
	return path, nil
}

func (s *Sim) readPage(rj *readJob, out *bufio.Writer) error {
	s.store.mu.RLock()
	rows := rj.table.snapshot()
	s.store.mu.RUnlock()
	skip := 0
	if rj.after == 0 {
		skip = (rj.page - 1) * rj.conf.PageRows
	}
	w := &pageWriter{sim: s, job: rj, out: out}
	last := int64(0)
	for _, r := range rows {
		if r.deleted || r.id <= rj.after || rj.where != nil && !rj.where.holds(s, rj.table, r, false) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if rj.count == rj.conf.PageRows {
			rj.more = true
			break
		}
		if rj.count++; rj.count == 1 {
			w.header()
		}
		w.row(r)
		last = r.id
	}
	if rj.count == 0 && !rj.conf.Variants.EmptyResultFile {
		w.header()
	}
	if v := rj.conf.Variants; rj.more && !v.NoPageToken && rj.version >= v.PageTokenSince {
		rj.next, rj.expires = newPageToken(last), s.Now().Add(24*time.Hour)
	}
	return w.err
}

// newPageToken hides the last id of the page in an opaque token.
func newPageToken(last int64) string { return randomHex(24) + "." + itoa(last) }

func (rj *readJob) lastID() int64 {
	_, tail, _ := strings.Cut(rj.next, ".")
	id, _ := parseID(tail)
	return id
}

// pageWriter renders records as CSV rows.
type pageWriter struct {
	sim  *Sim
	job  *readJob
	out  *bufio.Writer
	line []byte
	err  error
}

func (w *pageWriter) header() {
	for i := range w.job.columns {
		w.add(i, w.job.columns[i].name)
	}
	w.end()
}

func (w *pageWriter) add(i int, text string) {
	if i > 0 {
		w.line = append(w.line, ',')
	}
	w.line = appendCSV(w.line, text)
}

func (w *pageWriter) end() {
	if _, err := w.out.Write(append(w.line, '\n')); err != nil {
		w.err = err
	}
	w.line = w.line[:0]
}

func (w *pageWriter) row(r *record) {
	for i := range w.job.columns {
		p := &w.job.columns[i]
		w.add(i, w.sim.csvText(p.kind(), w.sim.value(w.job.table, r, p, false), w.job.conf.Variants.MultiSelectSeparator))
	}
	w.end()
}

// csvText renders a canonical value as a bulk read cell.
func (s *Sim) csvText(kind string, v cell, sep string) string {
	if !v.set {
		return ""
	}
	switch kind {
	case "datetime":
		if t, err := time.Parse(time.RFC3339, v.text); err == nil {
			return s.org.stamp(t.Unix())
		}
	case "multiselectpicklist":
		return strings.ReplaceAll(v.text, multiSep, sep)
	}
	return v.text
}
