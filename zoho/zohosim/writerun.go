package zohosim

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// rowErrors collects a row's errors in Zoho's notation: CODE-column,column:CODE-column.
type rowErrors struct {
	codes []string
	names map[string][]string
}

func (e *rowErrors) add(code, name string) {
	if e.names == nil {
		e.names = map[string][]string{}
	}
	if e.names[code] == nil {
		e.codes = append(e.codes, code)
	}
	e.names[code] = append(e.names[code], name)
}

func (e *rowErrors) has(name string) bool {
	for _, c := range e.codes {
		if slices.Contains(e.names[c], name) {
			return true
		}
	}
	return false
}

func (e *rowErrors) reset() {
	e.codes = e.codes[:0]
	clear(e.names)
}

func (e *rowErrors) String() string {
	parts := make([]string, len(e.codes))
	for i, c := range e.codes {
		parts[i] = c + "-" + strings.Join(e.names[c], ",")
	}
	return strings.Join(parts, ":")
}

// loader runs one resource of a job.
type loader struct {
	sim     *Sim
	conf    *Config
	plan    *loadPlan
	parse   parser
	change  change
	errs    rowErrors
	display map[*Field]map[string]int64 // lookup by a display field, built once a job
	touched int
	seen    map[string]bool // keys of earlier rows, where a repeated one is skipped
}

// runWrite does the work of a bulk write job and writes its result zip.
func (s *Sim) runWrite(j *job) (path string, fault *apiError) {
	path = filepath.Join(s.dir, "write-"+j.id+".zip")
	f, err := os.Create(path)
	if err != nil {
		return "", errInternal()
	}
	z := newZip(f)
	var parents map[int]map[string]int64
	for i, p := range j.write.plans {
		l := &loader{sim: s, conf: j.write.conf, plan: p, display: map[*Field]map[string]int64{}}
		l.parse = parser{loc: s.org.zone(), dates: l.conf.Variants.DefaultDates, rejectPicks: l.conf.Variants.RejectUnknownPicklist}
		made := map[int]map[string]int64{}
		if i == 0 {
			for _, child := range j.write.plans[1:] {
				for _, c := range child.columns {
					if c.parent >= 0 {
						made[c.parent] = map[string]int64{}
					}
				}
			}
			parents = made
		}
		if err = l.load(z, parents, i == 0); err != nil {
			break
		}
	}
	if err = errors.Join(err, z.Close(), f.Close()); err != nil {
		return "", errInternal()
	}
	return path, nil
}

// chunk is how many rows are written under one hold of the store's lock.
const chunk = 512

func (l *loader) load(z *zip.Writer, parents map[int]map[string]int64, isParent bool) error {
	o, err := openEntry(l.plan.file.path, l.plan.entry)
	if err != nil {
		return err
	}
	defer o.Close()
	if _, err = o.csv.Read(); err != nil { // header
		return err
	}
	entry, err := z.Create(l.plan.table.APIName + "-" + filepath.Base(l.plan.entry))
	if err != nil {
		return err
	}
	out := newResult(entry, l.plan, l.conf.Variants)
	for more := true; more; {
		l.sim.store.mu.Lock()
		for range chunk {
			row, err2 := o.csv.Read()
			if err2 != nil {
				more, err = false, err2
				break
			}
			status, id := l.row(row, parents, isParent)
			out.row(row, status, id, &l.errs)
		}
		l.sim.store.mu.Unlock()
	}
	if err != io.EOF {
		return err
	}
	if l.touched > 0 {
		l.sim.log.count(func(n *Counters) { n.Workflows += l.touched })
	}
	return out.close(l.sim)
}

const (
	statusAdded   = "ADDED"
	statusUpdated = "UPDATED"
	statusSkipped = "SKIPPED"
)

// row decides and writes one row; the store is locked.
func (l *loader) row(row []string, parents map[int]map[string]int64, isParent bool) (status string, id int64) {
	status, id = l.decide(row, parents)
	switch status {
	case statusAdded:
		l.plan.added++
	case statusUpdated:
		l.plan.updated++
	default:
		l.plan.skipped++
	}
	if isParent && status != statusSkipped {
		for col, values := range parents {
			if col < len(row) {
				values[row[col]] = id
			}
		}
	}
	return status, id
}

func (l *loader) decide(row []string, parents map[int]map[string]int64) (string, int64) {
	p, t := l.plan, l.plan.table
	l.errs.reset()
	l.change.reset()
	old, keyed := l.existing(row)
	if len(l.errs.codes) > 0 {
		return statusSkipped, 0
	}
	switch {
	case p.child:
	case p.operation == "insert" && keyed && old != nil:
		l.errs.add("DUPLICATE_DATA", p.resource.FindBy)
		return statusSkipped, l.dupID(old.id)
	case l.repeated(row):
		l.errs.add("DUPLICATE_DATA", p.resource.FindBy)
		return statusSkipped, 0
	case p.operation == "update" && old == nil, p.operation == "upsert" && old == nil && keyed && p.key.isID:
		l.errs.add(map[bool]string{true: "RESOURCE_NOT_FOUND", false: "MANDATORY_NOT_FOUND"}[keyed], p.resource.FindBy)
		return statusSkipped, 0
	}
	for i := range p.columns {
		l.cell(&p.columns[i], row, old != nil, parents)
	}
	self := int64(0)
	if old != nil {
		self = old.id
	}
	for _, f := range t.missing(&l.change, old == nil) {
		if !l.errs.has(f.APIName) { // an invalid value is reported as such only
			l.errs.add("MANDATORY_NOT_FOUND", f.APIName)
		}
	}
	clashes, holder := t.clash(&l.change, self)
	for _, f := range clashes {
		l.errs.add("DUPLICATE_DATA", f.APIName)
	}
	if len(l.errs.codes) > 0 {
		return statusSkipped, l.dupID(holder)
	}
	r := t.apply(l.sim.store, old, &l.change, l.sim.Now(), 0)
	if l.conf.Variants.BulkWorkflows {
		t.touch(r)
		l.touched++
	}
	if old != nil {
		return statusUpdated, r.id
	}
	return statusAdded, r.id
}

// repeated tells whether an earlier row of the file had the key, where the variant skips such rows.
func (l *loader) repeated(row []string) bool {
	if l.conf.Variants.RepeatedKey != "skip" || l.plan.key == nil || l.plan.child {
		return false
	}
	key := cellOf(row, l.plan.key)
	if f := l.plan.key.field; f != nil {
		key = f.fold(key)
	}
	if key == "" || l.seen[key] {
		return key != ""
	}
	if l.seen == nil {
		l.seen = map[string]bool{}
	}
	l.seen[key] = true
	return false
}

func (l *loader) dupID(id int64) int64 {
	if l.conf.Variants.SkippedRecordID {
		return id
	}
	return 0
}

// existing looks the row's key up; keyed tells that the row has one.
func (l *loader) existing(row []string) (old *record, keyed bool) {
	k, t := l.plan.key, l.plan.table
	if k == nil || l.plan.child {
		return nil, false
	}
	text := cellOf(row, k)
	if text == "" {
		return nil, false
	}
	if k.isID {
		id, ok := parseID(text)
		if !ok {
			l.errs.add("INVALID_DATA", "id")
			return nil, true
		}
		return t.find(id), true
	}
	v, err := l.parse.scalar(k.field, text, k.format)
	if err != nil {
		l.errs.add(err.code, k.field.APIName)
		return nil, true
	}
	if id := t.holder(k.field, v); id != 0 {
		return t.find(id), true
	}
	return nil, true
}

func cellOf(row []string, c *column) string {
	text := ""
	if c.index >= 0 && c.index < len(row) {
		text = row[c.index]
	}
	if text == "" && c.hasDef {
		text = c.def
	}
	return text
}

// cell adds one column's value to the change.
func (l *loader) cell(c *column, row []string, updating bool, parents map[int]map[string]int64) {
	f := c.field
	if f == nil {
		return
	}
	text := cellOf(row, c)
	if text == "" {
		if updating && !l.plan.ignoreEmpty && f.sys != sysOwner {
			l.change.set(f, cell{})
		}
		return
	}
	switch {
	case c.parent >= 0:
		id := parents[c.parent][text]
		l.link(f, id, id != 0)
	case f.isUser():
		l.user(c, text)
	case f.isLookup():
		id := l.lookup(c, text)
		l.link(f, id, id != 0)
	default:
		v, err := l.parse.scalar(f, text, c.format)
		if err != nil {
			l.errs.add(err.code, f.APIName)
			return
		}
		l.change.set(f, cell{v, true})
	}
}

func (l *loader) link(f *Field, id int64, found bool) {
	if !found {
		l.errs.add("INVALID_DATA", f.APIName)
		return
	}
	l.change.set(f, cell{itoa(id), true})
}

func (l *loader) user(c *column, text string) {
	i, found := l.sim.org.userByEmail(text)
	if c.by == "id" {
		id, _ := parseID(text)
		i, found = l.sim.org.userByID(id)
	}
	switch {
	case !found:
		l.errs.add("INVALID_DATA", c.field.APIName)
	case c.field.sys == sysOwner:
		l.change.owner = i
	default:
		l.change.set(c.field, cell{itoa(l.sim.org.users[i].id), true})
	}
}

func (l *loader) lookup(c *column, text string) int64 {
	t := c.target
	if c.by == "id" {
		if id, ok := parseID(text); ok && t.find(id) != nil {
			return id
		}
		return 0
	}
	f := t.byName[c.by]
	if f.Unique {
		return t.holder(f, text)
	}
	return l.byDisplay(t, f)[strings.ToLower(text)]
}

// byDisplay indexes a module by a field that is not unique, once a job; the first record of a name wins.
func (l *loader) byDisplay(t *table, f *Field) map[string]int64 {
	if m := l.display[f]; m != nil {
		return m
	}
	m := make(map[string]int64, t.live)
	for _, r := range t.recs {
		if !r.deleted {
			k := strings.ToLower(at(r.data, f.slot).text)
			if m[k] == 0 {
				m[k] = r.id
			}
		}
	}
	l.display[f] = m
	return m
}
