package zohosim

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"
)

// store holds all modules and their records. Its mutex guards everything reachable from it except records, which
// are immutable.
type store struct {
	mu     sync.RWMutex
	tables map[string]*table
	order  []*table
	nextID int64
}

// table is one module with its records.
type table struct {
	Module
	id      int64
	layout  int64
	fields  []*Field
	byName  map[string]*Field
	slots   int
	recs    []*record // by ascending id, deleted ones as tombstones
	live    int
	unique  map[*Field]map[string]int64
	removed []deletion
	serial  int64 // autonumber
	writes  int64
	scratch []cell
	pack    packer
}

// deletion is an entry of the deleted-records list.
type deletion struct {
	id        int64
	display   string
	createdBy int16
	at        int64
}

// firstID makes record ids of 19 digits, as Zoho's are.
const firstID = 5700000000000100001

func newStore() *store {
	return &store{tables: map[string]*table{}, nextID: firstID}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func parseID(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 19 {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n > 0
}

func (s *store) newID() int64 {
	s.nextID++
	return s.nextID
}

func (s *store) addModule(m Module) error {
	if m.APIName == "" {
		return fmt.Errorf("module without api_name")
	}
	if s.tables[m.APIName] != nil {
		return fmt.Errorf("module %s exists already", m.APIName)
	}
	m.normalise(len(s.order))
	t := &table{Module: m, id: s.newID(), layout: s.newID(), byName: map[string]*Field{}, unique: map[*Field]map[string]int64{}}
	own := m.Fields
	t.Fields = nil
	for _, f := range append(own, systemFields()...) {
		if err := s.addField(t, f); err != nil {
			return err
		}
	}
	if t.Display != "" && t.byName[t.Display] == nil {
		if err := s.addField(t, Field{APIName: t.Display, DataType: "text", SystemMandatory: true}); err != nil {
			return err
		}
	}
	s.tables[m.APIName] = t
	s.order = append(s.order, t)
	return nil
}

func (s *store) addField(t *table, f Field) error {
	if f.APIName == "" || jsonTypes[f.DataType] == "" {
		return fmt.Errorf("field %q of %s: data_type %q is unknown", f.APIName, t.APIName, f.DataType)
	}
	if t.byName[f.APIName] != nil {
		return fmt.Errorf("field %s of %s exists already", f.APIName, t.APIName)
	}
	f.normalise()
	if err := t.bindFormula(&f); err != nil {
		return err
	}
	f.id, f.slot = s.newID(), -1
	if f.stored() {
		f.slot = t.slots
		t.slots++
	}
	p := &f
	if f.Unique {
		t.unique[p] = map[string]int64{}
	}
	t.fields = append(t.fields, p)
	t.byName[f.APIName] = p
	t.scratch = make([]cell, t.slots)
	return nil
}

// find returns the live record of an id.
func (t *table) find(id int64) *record {
	if i := t.search(id); i < len(t.recs) && t.recs[i].id == id && !t.recs[i].deleted {
		return t.recs[i]
	}
	return nil
}

func (t *table) search(id int64) int {
	if n := len(t.recs); n == 0 || t.recs[n-1].id < id {
		return n
	}
	return sort.Search(len(t.recs), func(i int) bool { return t.recs[i].id >= id })
}

// put stores a new record or the next version of an existing one, keeping the unique indexes.
func (t *table) put(r *record) {
	i := t.search(r.id)
	var old *record
	switch {
	case i == len(t.recs):
		t.recs = append(t.recs, r)
	case t.recs[i].id == r.id:
		old = t.recs[i]
		t.recs[i] = r
	default:
		t.recs = slices.Insert(t.recs, i, r)
	}
	if old == nil || old.deleted {
		t.live++
		old = nil
	}
	t.writes++
	for f, index := range t.unique {
		if old != nil {
			if c := at(old.data, f.slot); c.set {
				delete(index, f.fold(c.text))
			}
		}
		if c := at(r.data, f.slot); c.set {
			index[f.fold(c.text)] = r.id
		}
	}
}

// touch is what a workflow does to a record that was just written: it changes it a second later, which is no write of
// the client's.
func (t *table) touch(r *record) {
	next := *r
	next.modified++
	t.recs[t.search(r.id)] = &next
}

// remove leaves a tombstone and an entry in the deleted list.
func (t *table) remove(r *record, now time.Time) {
	for f, index := range t.unique {
		if c := at(r.data, f.slot); c.set {
			delete(index, f.fold(c.text))
		}
	}
	t.recs[t.search(r.id)] = &record{id: r.id, deleted: true}
	t.live--
	t.removed = append(t.removed, deletion{r.id, t.displayOf(r), r.createdBy, now.Unix()})
}

// displayOf is the record's name: its display field's text.
func (t *table) displayOf(r *record) string {
	if f := t.byName[t.Display]; f != nil && f.slot >= 0 {
		return at(r.data, f.slot).text
	}
	return ""
}

// owner of a unique value, or 0.
func (t *table) holder(f *Field, v string) int64 { return t.unique[f][f.fold(v)] }

// snapshot is the records at this moment; the slice must not be changed.
func (t *table) snapshot() []*record { return slices.Clone(t.recs) }

// change is what a write wants of one record: for each touched stored field its new cell, and the owner.
type change struct {
	fields []*Field
	cells  []cell
	owner  int16 // -1: unchanged, or the writer on insert
}

func (c *change) reset() { c.fields, c.cells, c.owner = c.fields[:0], c.cells[:0], -1 }

func (c *change) set(f *Field, v cell) {
	c.fields = append(c.fields, f)
	c.cells = append(c.cells, v)
}

// value the change gives to a field.
func (c *change) value(f *Field) (cell, bool) {
	if i := slices.Index(c.fields, f); i >= 0 {
		return c.cells[i], true
	}
	return cell{}, false
}

// apply writes the change onto old, or onto a new record when old is nil, and stores it.
func (t *table) apply(s *store, old *record, c *change, now time.Time, by int16) *record {
	cells := t.scratch
	r := &record{modified: now.Unix(), modifiedBy: by}
	if old != nil {
		unpack(old.data, cells)
		r.id, r.created, r.createdBy, r.owner, r.writes = old.id, old.created, old.createdBy, old.owner, old.writes
	} else {
		clear(cells)
		r.id, r.created, r.createdBy, r.owner = s.newID(), now.Unix(), by, by
		t.fillAutoNumbers(cells)
	}
	if r.writes < 1<<16-1 {
		r.writes++
	}
	if c.owner >= 0 {
		r.owner = c.owner
	}
	for i, f := range c.fields {
		cells[f.slot] = c.cells[i]
	}
	r.data = t.pack.pack(cells)
	t.put(r)
	return r
}

func (t *table) fillAutoNumbers(cells []cell) {
	for _, f := range t.fields {
		if f.DataType == "autonumber" {
			t.serial++
			cells[f.slot] = cell{fmt.Sprintf("%s%06d", f.Prefix, t.serial), true}
		}
	}
}

// clash finds the unique fields whose new value another record holds already.
func (t *table) clash(c *change, self int64) (fields []*Field, holder int64) {
	for i, f := range c.fields {
		if !f.Unique || !c.cells[i].set {
			continue
		}
		if id := t.holder(f, c.cells[i].text); id != 0 && id != self {
			fields = append(fields, f)
			holder = id
		}
	}
	return fields, holder
}

// missing lists the mandatory fields a record would lack: on insert those not given, on update those cleared.
func (t *table) missing(c *change, insert bool) []*Field {
	var out []*Field
	for _, f := range t.fields {
		if !f.mandatory() || f.slot < 0 {
			continue
		}
		v, touched := c.value(f)
		if touched && !v.set || !touched && insert {
			out = append(out, f)
		}
	}
	return out
}
