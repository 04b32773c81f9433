package zohosim

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// cellsOf are the rows of a page's table, tags removed, cells joined by bars.
func cellsOf(page, caption string) []string {
	_, rest, found := strings.Cut(page, "<caption>"+caption+"</caption>")
	if !found {
		return nil
	}
	table, _, _ := strings.Cut(rest, "</table>")
	var out []string
	for row := range strings.SplitSeq(table, "<tr>") {
		row = regexp.MustCompile(`<t[dh][^>]*>`).ReplaceAllString(row, "|")
		row = strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(row, ""))
		if row != "" {
			out = append(out, row)
		}
	}
	return out
}

func contains(rows []string, want string) bool {
	for _, r := range rows {
		if strings.Contains(r, want) {
			return true
		}
	}
	return false
}

func TestThePageShowsTheOrganisationLive(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	look := func(path string) string {
		a := w.want(200, "GET", path, "")
		if !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s is %s", path, a.header.Get("Content-Type"))
		}
		return string(a.body)
	}
	before := look("/_sim/")
	if rows := cellsOf(before, "Jobs, latest first"); !contains(rows, "No jobs yet") {
		t.Errorf("jobs at first: %q", rows)
	}
	if rows := cellsOf(before, "Modules"); !contains(rows, "|Accounts|0|0|0") || len(rows) != 1+len(w.sim.Modules()) {
		t.Errorf("modules at first: %q", rows)
	}
	w.bulkWrite("Accounts", "upsert", `,"find_by":"External_Key"`, "External_Key,Account_Name\nk,<script>alert(1)</script>\nl,B & C\nm,\n")
	w.bulkRead(`{"module":{"api_name":"Accounts"}}`)
	id := w.insert("Vendors", map[string]string{"Vendor_Name": "gone"})
	w.want(200, "DELETE", "/crm/v8/Vendors?ids="+id, "")
	w.arm(Match{Method: "GET", PathPattern: "/org$"}, Action{Kind: ActionStatus, Status: 503})
	w.want(503, "GET", "/crm/v8/org", "")
	page := look("/_sim/")
	for caption, want := range map[string]string{
		"Modules":             "|Accounts|2|0|2",
		"Calls":               "|POST /crm/bulk/{v}/write|1",
		"Latest calls":        "|GET /crm/v8/org|503|FAULT|0|status",
		"Faults armed":        "|status|GET|/org$",
		"Credits in 24 hours": fmt.Sprintf("|%d|%d|60000|", w.sim.Credits().Spent, w.sim.Credits().Remaining),
		"Limits met":          "|Most calls at once|Heavy ones|Tokens minted",
		"Jobs, latest first":  "|write|Accounts|COMPLETED|",
	} {
		if rows := cellsOf(page, caption); !contains(rows, want) {
			t.Errorf("%s: %q is not in %q", caption, want, rows)
		}
	}
	jobs := cellsOf(page, "Jobs, latest first")
	if !strings.Contains(jobs[1], "|read|Accounts|COMPLETED|") || !strings.HasSuffix(jobs[1], "|2|0|0|0") || !strings.HasSuffix(jobs[2], "|3|2|0|1") {
		t.Errorf("jobs: %q", jobs)
	}
	if rows := cellsOf(page, "Modules"); !contains(rows, "|Vendors|0|1|1") {
		t.Errorf("modules: %q", rows)
	}
	module := look("/_sim/modules/Accounts")
	for _, want := range []string{"2 records", "&lt;script&gt;alert(1)&lt;/script&gt;", "B &amp; C", "External_Key"} {
		if !strings.Contains(module, want) {
			t.Errorf("%q is not on the module's page: %s", want, module)
		}
	}
	w.want(404, "GET", "/_sim/modules/Nope", "")
	for name, p := range map[string]string{"organisation": page, "module": module} {
		if strings.Contains(p, "<script") || strings.Contains(p, "src=") || strings.Contains(p, "//") || strings.Contains(p, "@import") || strings.Contains(p, "url(") {
			t.Errorf("the page of the %s loads something: %s", name, p)
		}
		if !strings.Contains(p, `http-equiv="refresh"`) {
			t.Errorf("the page of the %s does not refresh", name)
		}
		for _, secret := range []string{w.token, w.sim.RefreshToken(), w.sim.ClientSecret()} {
			if strings.Contains(p, secret) {
				t.Errorf("the page of the %s shows a secret", name)
			}
		}
	}
}

func TestAModulesPageShowsTheLatestRecords(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	if err := w.sim.Generate("Leads", 120, 1); err != nil {
		t.Fatal(err)
	}
	page := string(w.want(200, "GET", "/_sim/modules/Leads", "").body)
	if !strings.Contains(page, "120 records, the latest 50 of them") || strings.Count(page, "<tr>") != 51 {
		t.Errorf("%d rows: %.300s", strings.Count(page, "<tr>"), page)
	}
}
