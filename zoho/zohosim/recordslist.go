package zohosim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// GET /crm/{v}/{Module} and GET /crm/{v}/{Module}/{id}
//
// Documented: fields required in the list (at most 50), per_page up to 200, page up to the first 2,000 records,
// page_token beyond up to 100,000, sort_by id, Created_Time or Modified_Time, ids, If-Modified-Since; 204 for nothing,
// 304 for nothing newer. Gaps: cvid is refused, territory_id, converted and include_child are ignored.

const (
	maxListFields = 50
	maxPerPage    = 200
	discretePages = 2_000
	tokenReach    = 100_000
)

type listAnswer struct {
	Data []json.RawMessage `json:"data"`
	Info listInfo          `json:"info"`
}

type listInfo struct {
	Call      bool    `json:"call"`
	PerPage   int     `json:"per_page"`
	Next      *string `json:"next_page_token"`
	Count     int     `json:"count"`
	SortBy    string  `json:"sort_by"`
	Page      int     `json:"page"`
	Previous  *string `json:"previous_page_token"`
	Expiry    *string `json:"page_token_expiry"`
	SortOrder string  `json:"sort_order"`
	Email     bool    `json:"email"`
	More      bool    `json:"more_records"`
}

func listCost(c *call) int {
	if c.query.Has("cvid") {
		return 3
	}
	return 1
}

func listHeavy(c *call) bool { return c.query.Has("cvid") || c.query.Has("sort_by") }

// listQuery is a checked list request.
type listQuery struct {
	paths  []fieldPath
	offset int
	per    int
	page   int
	sortBy string
	order  string
	ids    []int64
	since  int64 // Unix second, 0 none
	bound  string
}

func listRecords(c *call) reply {
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[c.params["module"]]
	if t == nil || t.NoAPI {
		return errModule().reply()
	}
	q, err := c.listQuery(t)
	if err != nil {
		return err.reply()
	}
	rows := c.sim.selectRows(t, q)
	if len(rows) == 0 && q.since > 0 {
		return reply{status: http.StatusNotModified}
	}
	from, to := min(q.offset, len(rows)), min(q.offset+q.per, len(rows))
	if from == to {
		return noContent()
	}
	d := &renderer{sim: c.sim, table: t, paths: q.paths}
	ans := listAnswer{Info: listInfo{PerPage: q.per, Count: to - from, SortBy: q.sortBy, Page: q.page, SortOrder: q.order, More: to < len(rows)}}
	for _, r := range rows[from:to] {
		ans.Data = append(ans.Data, d.record(r))
	}
	if ans.Info.More {
		token := c.sim.pageToken(q, to)
		expiry := c.stamp(c.now.Add(24 * time.Hour).Unix())
		ans.Info.Next, ans.Info.Expiry = &token, &expiry
	}
	return ok(ans)
}

func (c *call) listQuery(t *table) (*listQuery, *apiError) {
	q := &listQuery{sortBy: defaulted(c.query.Get("sort_by"), "id"), order: defaulted(c.query.Get("sort_order"), "desc")}
	names := strings.FieldsFunc(c.query.Get("fields"), func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case len(names) == 0 && !c.query.Has("ids"):
		return nil, bad("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing").with(paramName{"fields"})
	case len(names) > maxListFields:
		return nil, bad("LIMIT_EXCEEDED", "fields limit exceeded").with(maxLimit{maxListFields})
	case c.query.Has("cvid"):
		return nil, bad("INVALID_DATA", "the cvid given seems to be invalid")
	case !slices.Contains([]string{"id", "Created_Time", "Modified_Time"}, q.sortBy), q.order != "asc" && q.order != "desc":
		return nil, bad("INVALID_DATA", "sort_by or sort_order is invalid")
	}
	q.paths = c.sim.listPaths(t, names)
	for id := range strings.SplitSeq(c.query.Get("ids"), ",") {
		if n, ok := parseID(id); ok {
			q.ids = append(q.ids, n)
		}
	}
	if h := c.r.Header.Get("If-Modified-Since"); h != "" {
		at, ok := instant(h)
		if !ok {
			return nil, bad("INVALID_DATA", "If-Modified-Since is not an ISO 8601 date-time")
		}
		since, _ := time.Parse(time.RFC3339, at.text) // instant checked it
		q.since = since.Unix()
	}
	return q, c.listPage(q)
}

// listPaths resolves names; unknown ones are left out, as Zoho does.
func (s *Sim) listPaths(t *table, names []string) []fieldPath {
	if len(names) == 0 {
		return allPaths(t)
	}
	var paths []fieldPath
	for _, n := range names {
		if p, ok := s.store.resolvePath(t, n); ok && p.field.sys != sysID && (p.field.stored() || p.field.sys != sysNone) {
			paths = append(paths, p)
		}
	}
	return paths
}

func (c *call) listPage(q *listQuery) *apiError {
	var ok1, ok2 bool
	q.page, ok1 = c.intParam("page", 1)
	q.per, ok2 = c.intParam("per_page", maxPerPage)
	if !ok1 || !ok2 || q.page < 1 || q.per < 1 || q.per > maxPerPage {
		return bad("INVALID_DATA", "page or per_page is invalid")
	}
	bound := c.r.URL.Query()
	bound.Del("page_token")
	bound.Del("page")
	q.bound = c.params["module"] + "?" + bound.Encode()
	token := c.query.Get("page_token")
	if token == "" {
		q.offset = (q.page - 1) * q.per
		if q.offset+q.per > discretePages {
			return bad("DISCRETE_PAGINATION_LIMIT_EXCEEDED", "page limit exceeded, use page_token").with(maxLimit{discretePages})
		}
		return nil
	}
	if c.query.Has("page") {
		return bad("AMBIGUITY_DURING_PROCESSING", "page and page_token exclude each other")
	}
	return c.sim.resumeList(q, token, c.now)
}

// listToken remembers what a page token is bound to.
type listToken struct {
	bound   string
	offset  int
	expires time.Time
}

func (s *Sim) pageToken(q *listQuery, offset int) string {
	token := randomHex(24)
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	if s.log.tokens == nil || len(s.log.tokens) > 100_000 {
		s.log.tokens = map[string]listToken{}
	}
	s.log.tokens[token] = listToken{q.bound, offset, s.Now().Add(24 * time.Hour)}
	return token
}

func (s *Sim) resumeList(q *listQuery, token string, now time.Time) *apiError {
	s.log.mu.Lock()
	t, found := s.log.tokens[token]
	s.log.mu.Unlock()
	switch {
	case !found:
		return bad("INVALID_DATA", "invalid page_token")
	case !now.Before(t.expires):
		return bad("EXPIRED_VALUE", "the page token is expired")
	case t.bound != q.bound:
		return bad("TOKEN_BOUND_DATA_MISMATCH", "the parameters differ from those the page token is bound to")
	case t.offset >= tokenReach:
		return bad("PAGINATION_LIMIT_EXCEEDED", "pagination limit exceeded").with(maxLimit{tokenReach})
	}
	q.offset, q.page = t.offset, t.offset/q.per+1
	return nil
}

// selectRows filters and sorts; with the default order only the rows up to the page's end matter, but all are listed
// to know whether more follow.
func (s *Sim) selectRows(t *table, q *listQuery) []*record {
	var rows []*record
	if len(q.ids) > 0 {
		for _, id := range q.ids {
			if r := t.find(id); r != nil {
				rows = append(rows, r)
			}
		}
	} else {
		rows = make([]*record, 0, t.live)
		for _, r := range t.recs {
			if !r.deleted && (q.since == 0 || r.modified > q.since) {
				rows = append(rows, r)
			}
		}
	}
	switch q.sortBy {
	case "Created_Time":
		slices.SortStableFunc(rows, func(a, b *record) int { return cmp.Compare(a.created, b.created) })
	case "Modified_Time":
		slices.SortStableFunc(rows, func(a, b *record) int { return cmp.Compare(a.modified, b.modified) })
	default:
		slices.SortFunc(rows, func(a, b *record) int { return cmp.Compare(a.id, b.id) })
	}
	if q.order == "desc" {
		slices.Reverse(rows)
	}
	return rows
}

func getRecord(c *call) reply {
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[c.params["module"]]
	if t == nil || t.NoAPI {
		return errModule().reply()
	}
	id, valid := parseID(c.params["id"])
	if !valid {
		return bad("INVALID_DATA", "the id given seems to be invalid").reply()
	}
	r := t.find(id)
	if r == nil {
		return noContent()
	}
	names := strings.FieldsFunc(c.query.Get("fields"), func(r rune) bool { return r == ',' })
	d := &renderer{sim: c.sim, table: t, paths: c.sim.listPaths(t, names)}
	body := d.details(r, func(name string) bool { return len(names) == 0 || slices.Contains(names, name) })
	return ok(struct {
		Data []json.RawMessage `json:"data"`
	}{[]json.RawMessage{body}})
}
