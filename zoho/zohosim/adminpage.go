package zohosim

import (
	"html/template"
	"net/http"
	"slices"
	"time"
)

// The live page, for people: what the organisation holds and what was asked of it, and for each module its latest
// records. It loads nothing but itself and refreshes every two seconds.

// pageRecords and pageRequests bound what the pages show.
const (
	pageRecords  = 50
	pageRequests = 20
)

var pages = template.Must(template.New("sim").Funcs(template.FuncMap{"clock": clockTime}).Parse(`{{define "head"}}<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width"><title>{{.}}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}table{border-collapse:collapse;width:100%;margin:0 0 2rem}
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ccc;vertical-align:top}td.n,th.n{text-align:right}meter{width:100%}caption{text-align:left;font-weight:600}
div{overflow-x:auto}td.v{white-space:pre-wrap;max-width:20rem;overflow-wrap:anywhere}</style>{{end}}
{{define "org"}}{{template "head" "Zoho CRM simulator"}}
<h1>Zoho CRM simulator</h1>
<p>{{.Edition}}, {{.Users}} users. Simulated time {{.Now.Format "2006-01-02 15:04:05 MST"}}.</p>
<table><caption>Credits in 24 hours</caption><tr><th class="n">Spent<th class="n">Left<th class="n">Allowed<th class="n">Spent ever<th class="n">Refused for credits</tr>
<tr><td class="n">{{.Credits.Spent}}<td class="n">{{.Credits.Remaining}}<td class="n">{{.Credits.Limit}}<td class="n">{{.Credits.SpentEver}}<td class="n">{{.Counters.ThrottledCredits}}</tr></table>
<meter min="0" max="{{.Credits.Limit}}" value="{{.Credits.Spent}}">{{.Credits.Spent}}</meter>
<table><caption>Modules</caption><tr><th>Module<th class="n">Records<th class="n">Deleted<th class="n">Writes</tr>
{{range .Modules}}<tr><td><a href="/_sim/modules/{{.APIName}}">{{.APIName}}</a><td class="n">{{.Records}}<td class="n">{{.Deleted}}<td class="n">{{.Writes}}</tr>
{{end}}</table>
<table><caption>Jobs, latest first</caption><tr><th>Job<th>Kind<th>Module<th>State<th>Created<th class="n">Rows<th class="n">Added<th class="n">Updated<th class="n">Skipped</tr>
{{range .Latest}}<tr><td>{{.ID}}<td>{{.Kind}}<td>{{.Module}}<td>{{.State}}<td>{{clock .Created}}<td class="n">{{.Rows}}<td class="n">{{.Added}}<td class="n">{{.Updated}}<td class="n">{{.Skipped}}</tr>
{{else}}<tr><td colspan="9">No jobs yet</tr>
{{end}}</table>
<table><caption>Limits met</caption><tr><th class="n">Most calls at once<th class="n">Heavy ones<th class="n">Tokens minted<th class="n">Tokens refused<th class="n">Concurrency refused<th class="n">Downloads refused<th class="n">Jobs refused</tr>
<tr><td class="n">{{.Counters.PeakConcurrency}}<td class="n">{{.Counters.PeakHeavy}}<td class="n">{{.Counters.TokenMints}}<td class="n">{{.Counters.ThrottledTokens}}<td class="n">{{.Counters.ThrottledConcurrency}}<td class="n">{{.Counters.ThrottledDownloads}}<td class="n">{{.Counters.ThrottledJobs}}</tr></table>
<table><caption>Calls</caption><tr><th>Endpoint<th class="n">Calls</tr>
{{range $route, $n := .Counters.Requests}}<tr><td>{{$route}}<td class="n">{{$n}}</tr>
{{end}}</table>
<table><caption>Latest calls</caption><tr><th>Time<th>Call<th class="n">Status<th>Code<th class="n">Credits<th>Fault</tr>
{{range .Requests}}<tr><td>{{clock .Time}}<td>{{.Method}} {{.Path}}<td class="n">{{.Status}}<td>{{.Code}}<td class="n">{{.Credits}}<td>{{.Fault}}</tr>
{{end}}</table>
{{if .Faults}}<table><caption>Faults armed</caption><tr><th>Action<th>Method<th>Path</tr>
{{range .Faults}}<tr><td>{{.Action.Kind}}<td>{{.Match.Method}}<td>{{.Match.PathPattern}}</tr>
{{end}}</table>{{end}}</html>{{end}}
{{define "module"}}{{template "head" .Name}}
<h1>{{.Name}}</h1>
<p><a href="/_sim/">Organisation</a>. {{.Count}} records{{if gt .Count (len .Records)}}, the latest {{len .Records}} of them{{end}}.</p>
<div><table><tr><th>id<th class="n">Writes{{range .Fields}}<th>{{.}}{{end}}</tr>
{{$fields := .Fields}}{{range .Records}}{{$values := .Values}}<tr><td>{{.ID}}<td class="n">{{.Writes}}{{range $fields}}<td class="v">{{index $values .}}{{end}}</tr>
{{end}}</table></div></html>{{end}}`))

func clockTime(t time.Time) string { return t.UTC().Format("15:04:05") }

func (s *Sim) adminPage(w http.ResponseWriter, r *http.Request) {
	st := s.state(baseOf(r))
	latest := slices.Clone(st.Jobs)
	slices.Reverse(latest)
	calls := s.RequestLog()
	calls = calls[max(0, len(calls)-pageRequests):]
	slices.Reverse(calls)
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	_ = pages.ExecuteTemplate(w, "org", struct {
		adminState
		Latest   []adminJob
		Requests []Request
	}{st, latest, calls}) // the client may be gone
}

// shownModule is what a module's page shows.
type shownModule struct {
	Name    string
	Count   int
	Fields  []string // those that any of the records has
	Records []shownRecord
}

type shownRecord struct {
	ID     string
	Writes int
	Values map[string]string
}

func (s *Sim) modulePage(w http.ResponseWriter, r *http.Request) {
	page, found := s.shown(r.PathValue("module"))
	if !found {
		http.Error(w, "no such module", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	_ = pages.ExecuteTemplate(w, "module", page) // as above
}

func (s *Sim) shown(module string) (shownModule, bool) {
	s.store.mu.RLock()
	defer s.store.mu.RUnlock()
	t := s.store.tables[module]
	if t == nil {
		return shownModule{}, false
	}
	page, paths, used := shownModule{Name: module, Count: t.live}, allPaths(t), map[string]bool{}
	for _, r := range slices.Backward(t.recs) {
		if r.deleted {
			continue
		}
		if len(page.Records) == pageRecords {
			break
		}
		values := s.plainRecord(t, r, paths)
		for name := range values {
			used[name] = true
		}
		page.Records = append(page.Records, shownRecord{itoa(r.id), int(r.writes), values})
	}
	for i := range paths {
		if used[paths[i].name] {
			page.Fields = append(page.Fields, paths[i].name)
		}
	}
	return page, true
}
