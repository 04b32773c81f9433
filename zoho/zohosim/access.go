package zohosim

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"
)

// Count is the number of live records of a module, 0 for an unknown one.
func (s *Sim) Count(module string) int {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	if t := s.store.tables[module]; t != nil {
		return t.live
	}
	return 0
}

// Records yields the live records of a module by ascending id, as of the call. Each is a map from API name to
// canonical text: numbers in decimal, booleans true and false, dates yyyy-MM-dd, date-times RFC 3339 in UTC, lookups
// and users as ids, multi-select values joined by ";". Blank fields are absent. An unknown module yields nothing.
func (s *Sim) Records(module string) iter.Seq[map[string]string] {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	t := s.store.tables[module]
	if t == nil {
		return func(func(map[string]string) bool) {}
	}
	rows, paths := t.snapshot(), allPaths(t)
	return func(yield func(map[string]string) bool) {
		for _, r := range rows {
			if !r.deleted && !yield(s.plainRecord(t, r, paths)) {
				return
			}
		}
	}
}

// Record is one record as Records gives it, or nil.
func (s *Sim) Record(module, id string) map[string]string {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	t := s.store.tables[module]
	n, _ := parseID(id)
	if t == nil || t.find(n) == nil {
		return nil
	}
	return s.plainRecord(t, t.find(n), allPaths(t))
}

func (s *Sim) plainRecord(t *table, r *record, paths []fieldPath) map[string]string {
	m := map[string]string{"id": itoa(r.id)}
	for i := range paths {
		if v := s.plain(t, r, paths[i].field); v.set {
			m[paths[i].name] = s.plainText(paths[i].field, v)
		}
	}
	return m
}

func (s *Sim) plainText(f *Field, v cell) string {
	if f.DataType == "multiselectpicklist" {
		return joinMulti(v.text)
	}
	return v.text
}

// WritesPerRecord tells how often each live record of a module was written (added or updated), by id. Counts stop at
// 65,535.
func (s *Sim) WritesPerRecord(module string) map[string]int {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	m := map[string]int{}
	if t := s.store.tables[module]; t != nil {
		for _, r := range t.recs {
			if !r.deleted {
				m[itoa(r.id)] = int(r.writes)
			}
		}
	}
	return m
}

// AddModule adds a module to the organisation.
func (s *Sim) AddModule(m Module) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.org.touched.Store(s.Now().Unix())
	if err := s.store.addModule(m); err != nil {
		return fmt.Errorf("zohosim: %w", err)
	}
	return nil
}

// AddCustomField adds a field to a module; existing records have it blank.
func (s *Sim) AddCustomField(module string, f Field) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	t := s.store.tables[module]
	if t == nil {
		return fmt.Errorf("zohosim: module %s does not exist", module)
	}
	f.Custom = true
	s.org.touched.Store(s.Now().Unix())
	if err := s.store.addField(t, f); err != nil {
		return fmt.Errorf("zohosim: %w", err)
	}
	return nil
}

// SetFieldType changes the data type of a field, as an administrator's schema change would; stored values stay.
func (s *Sim) SetFieldType(module, field, dataType string) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	t := s.store.tables[module]
	if t == nil || t.byName[field] == nil || jsonTypes[dataType] == "" {
		return fmt.Errorf("zohosim: no field %s in %s, or no data type %s", field, module, dataType)
	}
	f := *t.byName[field]
	f.DataType, f.Length = dataType, 0
	f.normalise()
	old := t.byName[field]
	t.fields[slices.Index(t.fields, old)] = &f
	t.byName[field] = &f
	if index := t.unique[old]; index != nil {
		delete(t.unique, old)
		t.unique[&f] = index
	}
	s.org.touched.Store(s.Now().Unix())
	return nil
}

// Modules lists the API names of all modules, in order.
func (s *Sim) Modules() []string {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	names := make([]string, 0, len(s.store.order))
	for _, t := range s.store.order {
		names = append(names, t.APIName)
	}
	return names
}

// Insert adds a record given as field values in the form Records uses, skipping mandatory checks but not types and
// uniqueness. Keys id, Created_Time and Modified_Time set those; id must be new. It returns the record's id.
func (s *Sim) Insert(module string, values map[string]string) (string, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.insert(module, values)
}

func (s *Sim) insert(module string, values map[string]string) (string, error) {
	t := s.store.tables[module]
	if t == nil {
		return "", fmt.Errorf("zohosim: module %s does not exist", module)
	}
	var c change
	c.reset()
	parse := parser{loc: s.org.zone()}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f, v := t.byName[name], values[name]
		switch {
		case f == nil:
			return "", fmt.Errorf("zohosim: %s has no field %s", module, name)
		case v == "" || f.sys != sysNone || f.slot < 0:
			continue
		case f.isLookup() || f.isUser():
			if _, valid := parseID(v); !valid {
				return "", fmt.Errorf("zohosim: %s.%s needs an id", module, name)
			}
			c.set(f, cell{v, true})
			continue
		}
		text, bad := parse.scalar(f, v, nil)
		if bad != nil {
			return "", fmt.Errorf("zohosim: a value of %s.%s is not a valid %s", module, name, f.DataType)
		}
		c.set(f, cell{text, true})
	}
	if clash, _ := t.clash(&c, 0); len(clash) > 0 {
		return "", fmt.Errorf("zohosim: a value of the unique field %s.%s exists already", module, clash[0].APIName)
	}
	return s.insertChange(t, &c, values)
}

func (s *Sim) insertChange(t *table, c *change, values map[string]string) (string, error) {
	r := t.apply(s.store, nil, c, s.Now(), 0)
	fixed := *r
	if owner, valid := parseID(values["Owner"]); valid {
		if i, found := s.org.userByID(owner); found {
			fixed.owner = i
		}
	}
	for name, into := range map[string]*int64{"Created_Time": &fixed.created, "Modified_Time": &fixed.modified} {
		if at, err := time.Parse(time.RFC3339, values[name]); err == nil {
			*into = at.Unix()
		}
	}
	if id, valid := parseID(values["id"]); valid && t.find(id) == nil {
		t.drop(r)
		fixed.id = id
		s.store.nextID = max(s.store.nextID, id)
	}
	t.put(&fixed)
	t.writes-- // both puts are one write
	return itoa(fixed.id), nil
}

// drop takes back the record stored last.
func (t *table) drop(r *record) {
	t.recs = t.recs[:len(t.recs)-1]
	t.live--
	for f, index := range t.unique {
		if c := at(r.data, f.slot); c.set {
			delete(index, f.fold(c.text))
		}
	}
}

// Delete removes a record as the API would: it appears in the deleted list. It reports whether there was one.
func (s *Sim) Delete(module, id string) bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	t := s.store.tables[module]
	n, _ := parseID(id)
	if t == nil || t.find(n) == nil {
		return false
	}
	t.remove(t.find(n), s.Now())
	return true
}

// Reset forgets records, jobs, files, faults, logs, counters and spent credits; modules, fields and tokens stay.
func (s *Sim) Reset() {
	s.store.mu.Lock()
	for _, t := range s.store.order {
		t.recs, t.live, t.removed, t.serial, t.writes = nil, 0, nil, 0, 0
		for f := range t.unique {
			t.unique[f] = map[string]int64{}
		}
	}
	s.store.mu.Unlock()
	s.jobs.reset()
	s.files.reset()
	s.ClearFaults()
	s.ledger.reset()
	s.log.mu.Lock()
	s.log.clear()
	s.log.mu.Unlock()
}

// textOf turns a JSON value of a seed into the text Insert takes: {"id":..} into the id, arrays into a;b.
func textOf(raw json.RawMessage) string {
	var s string
	var ref struct {
		ID string `json:"id"`
	}
	var list []string
	switch {
	case string(raw) == "null":
		return ""
	case json.Unmarshal(raw, &s) == nil:
		return s
	case json.Unmarshal(raw, &ref) == nil && ref.ID != "":
		return ref.ID
	case json.Unmarshal(raw, &list) == nil:
		return joinList(list)
	}
	return string(raw)
}
