package zohosim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// POST /crm/{v}/coql with {"select_query":"..."}
//
// Supported: fields (one lookup deep) or COUNT(id), mandatory where with and, or, parentheses, = != <> < <= > >=, in,
// not in, like (% at either end), between, is null; order by, limit and offset. Documented limits: 25 criteria, 10
// sort fields, in with 100 values; rows, fields and reach by variant.
// Credits by LIMIT: 1 up to 200, 2 up to 1,000, 3 up to 2,000. Gaps: aliases, joins, group by, other aggregates,
// include_meta.

const (
	maxCOQLIn    = 100
	maxCOQLOrder = 10
)

type coqlBody struct {
	Query string `json:"select_query"`
}

func coqlCost(c *call) int {
	var b coqlBody
	if c.decode(&b) != nil {
		return 1
	}
	q, err := parseCOQL(b.Query)
	switch {
	case err != nil || q.limit <= 200:
		return 1
	case q.limit <= 1000:
		return 2
	}
	return 3
}

type coqlAnswer struct {
	Data []json.RawMessage `json:"data"`
	Info struct {
		Count int  `json:"count"`
		More  bool `json:"more_records"`
	} `json:"info"`
}

type columnReason struct {
	Column string `json:"column_name,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// parseDetails locates a syntax error, as Zoho does by line and column.
type parseDetails struct {
	Near   string `json:"near"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func syntaxError(query string, err error) *apiError {
	near := ""
	if e, ok := errors.AsType[*coqlError](err); ok {
		near = e.near
	}
	before := query[:max(strings.Index(query, near), 0)]
	d := parseDetails{near, 1 + strings.Count(before, "\n"), 1 + len(before) - (strings.LastIndexByte(before, '\n') + 1)}
	return bad("SYNTAX_ERROR", "error occurred while parsing the query").with(d)
}

func runCOQL(c *call) reply {
	var b coqlBody
	if c.decode(&b) != nil || b.Query == "" {
		return bad("MANDATORY_NOT_FOUND", "required field not found").with(fieldDetails{APIName: "select_query", Path: "$.select_query"}).reply()
	}
	q, err := parseCOQL(b.Query)
	if err != nil {
		return syntaxError(b.Query, err).reply()
	}
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[q.module]
	if t == nil || t.NoAPI {
		return bad("INVALID_QUERY", "invalid query formed").with(columnReason{Column: q.module, Reason: "module is not available"}).reply()
	}
	// The module is known only now, and so is its scope; moduleNeed takes the lock itself, a second read lock is legal
	// only while no writer waits, so the group is worked out here.
	group := q.module
	if t.Generated != "default" {
		group = "custom"
	}
	if !c.token.allows(need{service: "ZohoCRM", area: "modules", group: group, ops: []string{"READ"}}) {
		return errScope().reply()
	}
	return c.answerCOQL(t, q)
}

func (c *call) answerCOQL(t *table, q *coqlQuery) reply {
	paths, e := c.coqlPaths(t, q)
	if e != nil {
		return e.reply()
	}
	where, n, e := c.sim.coqlCondition(t, q.where)
	switch {
	case e != nil:
		return e.reply()
	case n > maxCriteria:
		return bad("LIMIT_EXCEEDED", "criteria limit exceeded").with(maxLimit{maxCriteria}).reply()
	case q.limit > c.conf.Variants.COQLRows:
		return bad("LIMIT_EXCEEDED", "limit exceeded").with(maxLimit{c.conf.Variants.COQLRows}).reply()
	case q.offset+q.limit > c.conf.Variants.COQLReach:
		return bad("LIMIT_EXCEEDED", "offset exceeded").with(maxLimit{c.conf.Variants.COQLReach}).reply()
	}
	var rows []*record
	for _, r := range t.recs {
		if !r.deleted && where.holds(c.sim, t, r, true) {
			rows = append(rows, r)
		}
	}
	var ans coqlAnswer
	if q.count {
		b, _ := json.Marshal(map[string]int{"COUNT(id)": len(rows)}) // ints always marshal
		ans.Data = []json.RawMessage{b}
		ans.Info.Count = 1
		return ok(ans)
	}
	if e := c.coqlSort(t, q, rows); e != nil {
		return e.reply()
	}
	from, to := min(q.offset, len(rows)), min(q.offset+q.limit, len(rows))
	if from == to {
		return noContent()
	}
	d := &renderer{sim: c.sim, table: t, paths: paths, flat: true}
	for _, r := range rows[from:to] {
		ans.Data = append(ans.Data, d.record(r))
	}
	ans.Info.Count, ans.Info.More = to-from, to < len(rows)
	return ok(ans)
}

func (c *call) coqlPaths(t *table, q *coqlQuery) ([]fieldPath, *apiError) {
	if most := c.conf.Variants.COQLFields; len(q.fields) > most {
		return nil, bad("LIMIT_EXCEEDED", "fields limit exceeded").with(maxLimit{most})
	}
	var paths []fieldPath
	for _, name := range q.fields {
		p, ok := c.sim.store.resolvePath(t, name)
		if !ok || !p.last().stored() && p.last().sys == sysNone {
			return nil, coqlColumn(name)
		}
		if p.field.sys != sysID {
			paths = append(paths, p)
		}
	}
	return paths, nil
}

func coqlColumn(name string) *apiError {
	return bad("INVALID_QUERY", "column given seems to be invalid").with(columnReason{Column: name, Reason: "invalid column"})
}

// coqlCondition compiles a parsed where clause and counts its criteria.
func (s *Sim) coqlCondition(t *table, n *coqlNode) (condition, int, *apiError) {
	if n.op != "" {
		out, total := condition{op: n.op}, 0
		for _, m := range n.members {
			c, k, err := s.coqlCondition(t, m)
			if err != nil {
				return out, 0, err
			}
			out.members, total = append(out.members, c), total+k
		}
		return out, total, nil
	}
	path, ok := s.store.resolvePath(t, n.field)
	if !ok {
		return condition{}, 0, coqlColumn(n.field)
	}
	out := condition{path: path, comparator: n.comparator}
	if n.null {
		out.values = []cell{{}}
	}
	if len(n.values) > maxCOQLIn {
		return out, 0, bad("LIMIT_EXCEEDED", "in limit exceeded").with(maxLimit{maxCOQLIn})
	}
	values := n.values
	if strings.HasSuffix(n.comparator, "like") {
		out.comparator, values = likeComparator(n.comparator, n.values[0])
	}
	for _, v := range values {
		v, ok := s.criterionValue(path.kind(), v)
		if !ok {
			return out, 0, bad("INVALID_QUERY", "invalid query formed").with(columnReason{Column: n.field, Reason: "value and field type do not match"})
		}
		out.values = append(out.values, v)
	}
	out.prepare()
	return out, 1, nil
}

func likeComparator(comparator, pattern string) (string, []string) {
	head, tail := strings.HasPrefix(pattern, "%"), strings.HasSuffix(pattern, "%")
	text := []string{strings.Trim(pattern, "%")}
	switch {
	case comparator == "not_like":
		return "not_contains", text
	case head && tail:
		return "contains", text
	case head:
		return "ends_with", text
	case tail:
		return "starts_with", text
	}
	return "equal", text
}

func (c *call) coqlSort(t *table, q *coqlQuery, rows []*record) *apiError {
	if len(q.order) > maxCOQLOrder {
		return bad("LIMIT_EXCEEDED", "order by limit exceeded").with(maxLimit{maxCOQLOrder})
	}
	for _, o := range slices.Backward(q.order) { // the last key first: each sort is stable
		p, ok := c.sim.store.resolvePath(t, o.field)
		if !ok {
			return coqlColumn(o.field)
		}
		kind := p.kind()
		slices.SortStableFunc(rows, func(a, b *record) int {
			d := compare(kind, c.sim.value(t, a, &p, true).text, c.sim.value(t, b, &p, true).text)
			if o.desc {
				return -d
			}
			return d
		})
	}
	return nil
}
