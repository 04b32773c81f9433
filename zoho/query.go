package zoho

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// A read takes one of two ways. A bulk read job costs 50 credits and a few more
// for questions and the download, whatever it brings; queries cost 3 credits
// for 2,000 rows. A small increment is cheaper by queries.
//
// Queries go by id and never by offset: a record that changes meanwhile leaves
// the window, whose end is past, and moves no other. So a cursor passes no row
// that was not read.

// wayQueries marks a read that goes by queries, in its state.
const wayQueries = "records"

// What a bulk read costs besides its creation: questions about a small job, and
// the download.
const bulkReadExtras = 4 + 1

// queryPlan is how the fields of a read are asked for by queries.
type queryPlan struct {
	groups [][]crm.Field // one query each
	listed []crm.Field   // what queries do not give and record lists do
}

// planQueries divides fields among queries, or says why queries cannot bring
// them.
func planQueries(fields []crm.Field) (p queryPlan, why string) {
	p.groups = [][]crm.Field{nil}
	formulas := 0
	for _, f := range fields {
		switch {
		case isTag(f):
			p.listed = append(p.listed, f)
			continue
		case !queryable(f):
			return p, "queries do not give the field " + f.APIName + " as bulk reads do"
		}
		if f.DataType == "formula" {
			formulas++
		}
		last := len(p.groups) - 1
		if len(p.groups[last]) == crm.COQLMaxFields || formulas > crm.COQLMaxFormulas {
			p.groups, formulas, last = append(p.groups, nil), 0, last+1
		}
		p.groups[last] = append(p.groups[last], f)
	}
	return p, ""
}

// isTag reports whether f holds a record's tags: a list of objects, which bulk
// reads write as names and queries leave out.
func isTag(f crm.Field) bool { return f.APIName == "Tag" && f.DataType != "multiselectpicklist" }

// queryable reports whether a query brings a field as a bulk read does: texts,
// numbers, references and choices. Rich text may be cut off, and how objects of
// other kinds compare with a file's cells is not documented.
func queryable(f crm.Field) bool {
	switch f.DataType {
	case "lookup", "ownerlookup", "userlookup", "multi_module_lookup", "multiselectpicklist":
		return true
	}
	return !f.RichText && f.JSONType != "jsonobject" && f.JSONType != "jsonarray"
}

// cost is the credits for a number of rows, at most so many a query.
func (p queryPlan) cost(rows int64, most int) int64 {
	var credits int64
	for rows > 0 {
		n := min(rows, int64(querySize(rows, most)))
		credits += p.pageCost(int(n), querySize(rows, most))
		rows -= n
	}
	return credits
}

func (p queryPlan) pageCost(rows, limit int) int64 {
	credits := len(p.groups) * crm.Cost(crm.OpCOQL, limit)
	if len(p.listed) > 0 {
		credits += (rows + crm.MaxIDsPerList - 1) / crm.MaxIDsPerList * crm.Cost(crm.OpRecordsList, 0)
	}
	return int64(credits)
}

// querySize is the LIMIT of the next query: the cheapest that brings the rows
// left, by Zoho's steps of 200, 1,000 and 2,000.
func querySize(left int64, most int) int {
	size := crm.COQLMaxRows
	switch {
	case left <= 200:
		size = 200
	case left <= 1000:
		size = 1000
	}
	return min(size, most)
}

// bulkReadCost is the credits that a bulk read of a number of rows takes.
func bulkReadCost(rows int64) int64 {
	pages := max(1, (rows+crm.BulkReadMaxRows-1)/crm.BulkReadMaxRows)
	return pages * int64(crm.Cost(crm.OpBulkReadCreate, 0)+bulkReadExtras)
}

// chooseWay decides how the window that was just opened is read, and says so.
func (g *reading) chooseWay(ctx context.Context) error {
	o, forced := g.state.Open, g.path == pathRecords
	if g.path == pathBulk || !forced && (o.Full || o.From.IsZero()) {
		return nil // what is read for the first time, or whole, is not small
	}
	plan, why := planQueries(g.fields)
	if why != "" {
		if forced {
			return configError("FIELD_NOT_QUERYABLE", fieldPath, "choose the way auto or bulk, or leave the field out", "the stream %s cannot be read by record calls: %s", g.module.APIName, why)
		}
		g.say(g.module.APIName + " is read by a bulk read: " + why)
		return nil
	}
	n, err := g.session.client.CountSelected(ctx, g.selection())
	if err != nil {
		return g.unlessRefused(err, forced)
	}
	byQueries, byBulk := plan.cost(n, g.session.queryRows()), bulkReadCost(n)
	if !forced && byQueries > byBulk {
		g.say(fmt.Sprintf("%s is read by a bulk read: %d records cost about %d credits, by queries %d", g.module.APIName, n, byBulk, byQueries))
		return nil
	}
	o.Way, o.Left = wayQueries, n
	g.say(fmt.Sprintf("%s is read by queries: %d records cost %d credits, by a bulk read about %d", g.module.APIName, n, byQueries+int64(crm.Cost(crm.OpCOQL, 1)), byBulk))
	return nil
}

func (g *reading) say(activity string) {
	g.out.Progress(activity, connector.WaitingNone, time.Time{}, g.done, 0)
}

// unlessRefused swallows the error of a query that Zoho does not answer, be it
// for a module, a column or a scope: then the window is read by a bulk read.
func (g *reading) unlessRefused(err error, forced bool) error {
	e := translate(err, "querying "+g.module.APIName)
	if forced || !answered(err) || e.Code == "INVALID_TOKEN" {
		return e
	}
	switch e.Class {
	case connector.ClassRateLimited, connector.ClassQuotaExhausted, connector.ClassTransient:
		return e
	}
	g.state.Open.restart()
	g.say(g.module.APIName + " is read by a bulk read: Zoho refused the query (" + e.Code + ")")
	return nil
}

// selection is what is left of the open window.
func (g *reading) selection() crm.Selection {
	s := crm.Selection{Module: g.module.APIName, AfterID: g.state.Open.After}
	if o := g.state.Open; !o.Full {
		s.From, s.To = o.From, o.To
	}
	return s
}

// queries reads the open window page by page, each ending in a checkpoint. It
// returns false when Zoho refused a query and a bulk read is to take over.
func (g *reading) queries(ctx context.Context) (done bool, err error) {
	plan, why := planQueries(g.fields)
	if why != "" { // the module changed since the read began
		g.state.Open.restart()
		return false, nil
	}
	if err := g.begin(g.expected()); err != nil {
		return false, err
	}
	for {
		more, err := g.queryPage(ctx, plan)
		if err != nil {
			err = g.unlessRefused(err, g.path == pathRecords)
			return false, err
		}
		if !more {
			return true, nil
		}
		if err := g.checkpoint(ctx); err != nil {
			return false, err
		}
	}
}

// queryPage reads the next page and sends its rows. A record that is in the
// first query's answer and not in the others' changed or went meanwhile: the
// next window has it, or the list of deleted records.
func (g *reading) queryPage(ctx context.Context, plan queryPlan) (more bool, err error) {
	s, o := g.selection(), g.state.Open
	s.Limit = querySize(max(o.Left, 1), g.session.queryRows())
	page, err := g.selectFields(ctx, &s, plan.groups[0])
	if err != nil || len(page.Records) == 0 {
		return false, err
	}
	more = page.More || len(page.Records) >= s.Limit
	gathered := newGathering(g.fields, g.zone, page.Records)
	gathered.add(page.Records)
	s.UpToID = page.Records[len(page.Records)-1].ID
	for _, group := range plan.groups[1:] {
		rest, err := g.selectFields(ctx, &s, group)
		if err != nil {
			return false, err
		}
		gathered.add(rest.Records)
	}
	if err := g.listFields(ctx, plan.listed, gathered); err != nil {
		return false, err
	}
	if err := g.sendGathered(ctx, gathered, plan.parts()); err != nil {
		return false, err
	}
	o.After, o.Left = s.UpToID, max(0, o.Left-int64(len(page.Records)))
	return more, nil
}

// parts is in how many answers each record must be.
func (p queryPlan) parts() int {
	n := len(p.groups)
	if len(p.listed) > 0 {
		n++
	}
	return n
}

// selectFields makes one query. Where 2,000 rows are too many for Zoho, fewer
// are asked for from then on.
func (g *reading) selectFields(ctx context.Context, s *crm.Selection, fields []crm.Field) (crm.Page, error) {
	s.Fields = fieldNames(fields)
	page, err := g.session.client.Select(ctx, *s)
	if isCode(err, "LIMIT_EXCEEDED") && s.Limit > crm.COQLSafeRows {
		g.session.queryLimit.Store(crm.COQLSafeRows)
		s.Limit = crm.COQLSafeRows
		page, err = g.session.client.Select(ctx, *s)
	}
	return page, err
}

// listFields asks for fields that queries do not give.
func (g *reading) listFields(ctx context.Context, fields []crm.Field, gathered *gathering) error {
	if len(fields) == 0 {
		return nil
	}
	for ids := range slices.Chunk(gathered.ids, crm.MaxIDsPerList) {
		records, err := g.session.client.ListByIDs(ctx, g.module.APIName, ids, fieldNames(fields))
		if err != nil {
			return err
		}
		gathered.add(records)
	}
	return nil
}

func (g *reading) sendGathered(ctx context.Context, all *gathering, parts int) error {
	sent := []int{}
	for i, f := range g.fields {
		if g.isSent(f.APIName) {
			sent = append(sent, i)
		}
	}
	texts := make([]string, 1+len(sent))
	null := func(i int) bool { return texts[i] == "" }
	for _, id := range all.ids {
		row := all.rows[id]
		if row.parts != parts {
			continue
		}
		texts[0] = id
		for i, at := range sent {
			texts[i+1] = row.texts[at]
		}
		g.sent = true
		if err := g.out.Row(ctx, id, texts, null); err != nil {
			return err
		}
		g.done++
	}
	g.out.Progress("reading "+g.module.APIName+" by queries, up to id "+strconv.Quote(all.ids[len(all.ids)-1]), connector.WaitingNone, time.Time{}, g.done, 0)
	return nil
}
