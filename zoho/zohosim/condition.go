package zohosim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is a compiled criterion, or a group of them, shared by bulk read and COQL.
type condition struct {
	op      string // "and", "or", or "" for a criterion
	members []condition

	path       fieldPath
	comparator string
	values     []cell // canonical; null for ${EMPTY}
	folded     []string
}

// fieldPath is a field of the module, or one field behind a lookup: Account_Name.Account_Name.
type fieldPath struct {
	name   string // as asked
	field  *Field // in the module
	beyond *Field // in the lookup's target, nil without a dot
	target *table
	user   string // last_name, first_name, email... behind a user field
}

// resolvePath finds a field by a possibly dotted name. The store is locked for reading.
func (s *store) resolvePath(t *table, name string) (fieldPath, bool) {
	head, tail, dotted := strings.Cut(name, ".")
	f := t.byName[head]
	p := fieldPath{name: name, field: f}
	switch {
	case f == nil:
		return p, false
	case !dotted:
		return p, true
	case f.isUser():
		p.user = tail
		return p, slices.Contains([]string{"id", "first_name", "last_name", "full_name", "name", "email"}, tail)
	case f.isLookup():
		p.target = s.tables[f.Lookup]
		if p.target != nil {
			p.beyond = p.target.byName[tail]
		}
		return p, p.beyond != nil
	}
	return p, false
}

// last is the field whose type the value has.
func (p *fieldPath) last() *Field {
	if p.beyond != nil {
		return p.beyond
	}
	return p.field
}

// kind is the type of the path's value.
func (p *fieldPath) kind() string {
	if p.user != "" && p.user != "id" {
		return "text"
	}
	return p.last().valueType()
}

// value reads the path from a record. locked tells that the caller holds the store's lock.
func (s *Sim) value(t *table, r *record, p *fieldPath, locked bool) cell {
	v := s.plain(t, r, p.field)
	if p.user != "" {
		return s.userPart(v, p.user)
	}
	if p.beyond == nil || !v.set {
		return v
	}
	id, _ := parseID(v.text)
	if !locked {
		s.store.mu.RLock()
		defer s.store.mu.RUnlock()
	}
	if other := p.target.find(id); other != nil {
		return s.plain(p.target, other, p.beyond)
	}
	return cell{}
}

func (s *Sim) userPart(v cell, part string) cell {
	id, _ := parseID(v.text)
	i, found := s.org.userByID(id)
	if !found {
		return cell{}
	}
	u := &s.org.users[i]
	switch part {
	case "first_name":
		return cell{u.first, true}
	case "last_name":
		return cell{u.last, true}
	case "email":
		return cell{u.email, true}
	case "id":
		return v
	}
	return cell{u.name(), true}
}

// plain is a field's canonical value: stored, system, or computed.
func (s *Sim) plain(t *table, r *record, f *Field) cell {
	switch f.sys {
	case sysID:
		return cell{itoa(r.id), true}
	case sysCreated:
		return cell{utc(r.created), true}
	case sysModified:
		return cell{utc(r.modified), true}
	case sysOwner:
		return cell{itoa(s.org.users[r.owner].id), true}
	case sysCreatedBy:
		return cell{itoa(s.org.users[r.createdBy].id), true}
	case sysModifiedBy:
		return cell{itoa(s.org.users[r.modifiedBy].id), true}
	case sysFormula:
		return f.evaluate(r)
	}
	if f.slot < 0 {
		return cell{}
	}
	return at(r.data, f.slot)
}

func utc(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// holds tells whether a record satisfies the condition.
func (c *condition) holds(s *Sim, t *table, r *record, locked bool) bool {
	switch c.op {
	case "and":
		for i := range c.members {
			if !c.members[i].holds(s, t, r, locked) {
				return false
			}
		}
		return true
	case "or":
		for i := range c.members {
			if c.members[i].holds(s, t, r, locked) {
				return true
			}
		}
		return false
	}
	return c.test(s.value(t, r, &c.path, locked))
}

// prepare folds text values once. Text is compared without case, as Zoho's criteria do in practice.
func (c *condition) prepare() {
	c.folded = make([]string, len(c.values))
	for i, v := range c.values {
		c.folded[i] = strings.ToLower(v.text)
	}
}

func (c *condition) test(v cell) bool {
	kind := c.path.kind()
	switch c.comparator {
	case "equal", "in":
		return c.any(kind, v)
	case "not_equal", "not_in":
		return !c.any(kind, v)
	case "contains", "not_contains", "starts_with", "ends_with":
		return c.testText(v)
	}
	if !v.set || len(c.values) == 0 || !c.values[0].set {
		return false
	}
	d := compare(kind, v.text, c.values[0].text)
	switch c.comparator {
	case "less_than":
		return d < 0
	case "less_equal":
		return d <= 0
	case "greater_than":
		return d > 0
	case "greater_equal":
		return d >= 0
	case "between":
		return d >= 0 && compare(kind, v.text, c.values[1].text) <= 0
	case "not_between":
		return d < 0 || compare(kind, v.text, c.values[1].text) > 0
	}
	return false
}

func (c *condition) any(kind string, v cell) bool {
	for i, want := range c.values {
		switch {
		case !want.set || !v.set:
			if want.set == v.set {
				return true
			}
		case kind == "multiselectpicklist":
			if slices.ContainsFunc(splitMulti(v.text), func(one string) bool { return strings.EqualFold(one, want.text) }) {
				return true
			}
		case textual(kind):
			if strings.ToLower(v.text) == c.folded[i] {
				return true
			}
		case compare(kind, v.text, want.text) == 0:
			return true
		}
	}
	return false
}

func (c *condition) testText(v cell) bool {
	low := strings.ToLower(v.text)
	if c.comparator == "not_contains" {
		return !slices.ContainsFunc(c.folded, func(s string) bool { return strings.Contains(low, s) })
	}
	return v.set && slices.ContainsFunc(c.folded, func(s string) bool {
		switch c.comparator {
		case "starts_with":
			return strings.HasPrefix(low, s)
		case "ends_with":
			return strings.HasSuffix(low, s)
		}
		return strings.Contains(low, s)
	})
}

func textual(kind string) bool {
	switch kind {
	case "text", "textarea", "email", "phone", "website", "picklist", "autonumber", "string", "profileimage":
		return true
	}
	return false
}

func numeric(kind string) bool {
	switch kind {
	case "integer", "bigint", "double", "currency", "percent":
		return true
	}
	return false
}

// compare orders two canonical values of a type. Whole numbers compare exactly, whatever their size.
func compare(kind, a, b string) int {
	switch {
	case numeric(kind) || kind == "lookup" || kind == "ownerlookup" || kind == "userlookup":
		x, err1 := strconv.ParseInt(a, 10, 64)
		y, err2 := strconv.ParseInt(b, 10, 64)
		if err1 == nil && err2 == nil {
			return cmp.Compare(x, y)
		}
		u, _ := strconv.ParseFloat(a, 64)
		w, _ := strconv.ParseFloat(b, 64)
		return cmp.Compare(u, w)
	case textual(kind):
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	}
	return strings.Compare(a, b) // dates and UTC date-times order as text
}
