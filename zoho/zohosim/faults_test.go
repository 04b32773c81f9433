package zohosim

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func (w *world) arm(match Match, action Action) {
	w.t.Helper()
	if err := w.sim.Fault(Fault{Match: match, Action: action}); err != nil {
		w.t.Fatal(err)
	}
}

func TestStatusFaultsAreCounted(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(Match{Method: "GET", PathPattern: `/org$`, After: 1, Count: 2}, Action{Kind: ActionStatus, Status: 503, RetryAfter: "3"})
	w.arm(Match{PathPattern: `/users`, Nth: 2}, Action{Kind: ActionStatus, Status: 500, Body: `{"x":1}`})
	var got []int
	for range 5 {
		a := w.do("GET", "/crm/v8/org", "")
		got = append(got, a.status)
		if a.status == 503 && a.header.Get("Retry-After") != "3" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	for range 3 {
		a := w.do("GET", "/crm/v8/users", "")
		got = append(got, a.status)
		if a.status == 500 && string(a.body) != `{"x":1}` {
			t.Errorf("body %s", a.body)
		}
	}
	want := []int{200, 503, 503, 200, 200, 200, 500, 200}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if n := w.sim.Counters().Faults["status"]; n != 3 {
		t.Errorf("%d faults counted", n)
	}
	w.sim.ClearFaults()
	if len(w.sim.Faults()) != 0 {
		t.Error("faults left")
	}
}

func TestLostAnswersHaveTheirEffect(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	row := `{"data":[{"Last_Name":"a","Company":"b"}]}`
	w.arm(Match{Method: "POST", PathPattern: "/Leads$", Nth: 1}, Action{Kind: ActionDropBefore})
	w.arm(Match{Method: "POST", PathPattern: "/Leads$", Nth: 2}, Action{Kind: ActionDropAfter})
	w.arm(Match{Method: "POST", PathPattern: "/Leads$", Nth: 3}, Action{Kind: ActionStatusAfter, Status: 502})
	for i, want := range []int{0, 1} {
		if _, err := w.send(w.request("POST", "/crm/v8/Leads", row)); err == nil {
			t.Errorf("call %d was answered", i+1)
		}
		if n := w.sim.Count("Leads"); n != want {
			t.Errorf("%d leads after call %d, want %d", n, i+1, want)
		}
	}
	if a := w.want(502, "POST", "/crm/v8/Leads", row); !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("gateway page: %v", a.header)
	}
	if n := w.sim.Count("Leads"); n != 2 {
		t.Errorf("%d leads in the end, want 2", n)
	}
	w.eventually(func() bool {
		w.sim.gauge.mu.Lock()
		defer w.sim.gauge.mu.Unlock()
		return w.sim.gauge.calls == 0
	})
	if log := w.sim.RequestLog(); len(log) != 3 || log[0].Fault != "drop_before" || log[1].Status != 0 {
		t.Errorf("log %+v", log)
	}
}

func TestTornAndCorruptDownloads(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	if err := w.sim.Generate("Leads", 200, 1); err != nil {
		t.Fatal(err)
	}
	done, _ := w.bulkRead(`{"module":{"api_name":"Leads"}}`)
	url := done.at("data", 0, "result", "download_url")
	w.arm(Match{PathPattern: "/result$", Nth: 1}, Action{Kind: ActionTornFile})
	w.arm(Match{PathPattern: "/result$", Nth: 2}, Action{Kind: ActionCorruptFile})
	if _, err := w.send(w.request("GET", url, "")); err == nil {
		t.Error("the torn download was complete")
	}
	a := w.want(200, "GET", url, "")
	if z, err := zip.NewReader(bytes.NewReader(a.body), int64(len(a.body))); err == nil {
		f, err := z.File[0].Open()
		if err == nil {
			_, err = io.Copy(io.Discard, f)
		}
		if err == nil {
			t.Error("the corrupt download was read without an error")
		}
	}
	if rows := unzipRows(t, w.want(200, "GET", url, "").body); len(rows) != 201 {
		t.Errorf("%d rows the third time", len(rows))
	}
}

func TestStuckAndFailingJobs(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(Match{Method: "POST", PathPattern: "/bulk/v8/(read|write)$", Count: 2}, Action{Kind: ActionFailJob})
	read, _ := w.bulkRead(`{"module":{"api_name":"Leads"}}`)
	if read.at("data", 0, "state") != "FAILURE" || read.at("data", 0, "result", "error_message", "code") != "INTERNAL_SERVER_ERROR" {
		t.Errorf("failed read: %s", read.body)
	}
	write, _ := w.bulkWrite("Accounts", "insert", "", "Account_Name\nx\n")
	if write.at("status") != "FAILED" || w.sim.Count("Accounts") != 0 {
		t.Errorf("failed write: %s", write.body)
	}
	w.arm(Match{Method: "POST", PathPattern: "/bulk/v8/read$"}, Action{Kind: ActionStuckJob})
	id := w.want(201, "POST", "/crm/bulk/v8/read", `{"query":{"module":{"api_name":"Leads"}}}`, "Content-Type", jsonType).at("data", 0, "details", "id")
	w.clock.advance(time.Hour / 2)
	if s := w.want(200, "GET", "/crm/bulk/v8/read/"+id, "").at("data", 0, "state"); s != "IN PROGRESS" && s != "ADDED" {
		t.Errorf("stuck job: %s", s)
	}
}

func TestRevokedTokenAndClockSkew(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	w.arm(Match{PathPattern: "/org", Nth: 1}, Action{Kind: ActionRevokeToken})
	w.want(401, "GET", "/crm/v8/org", "")
	w.token = w.refresh().at("access_token")
	w.want(200, "GET", "/crm/v8/org", "")
	w.arm(Match{PathPattern: "/users", Nth: 1}, Action{Kind: ActionClockSkew, Delay: Duration(2 * time.Hour)})
	w.want(401, "GET", "/crm/v8/users", "")
	if d := w.sim.Now().Sub(w.clock.now()); d != 2*time.Hour {
		t.Errorf("skewed by %v", d)
	}
}

func TestProbabilityIsSeeded(t *testing.T) {
	t.Parallel()
	var patterns [2]string
	for i := range patterns {
		w := start(t, func(c *Config) { c.Seed = 42 })
		w.arm(Match{Probability: 0.5}, Action{Kind: ActionStatus})
		for range 40 {
			patterns[i] += map[int]string{200: ".", 500: "x"}[w.do("GET", "/crm/v8/org", "").status]
		}
	}
	if patterns[0] != patterns[1] || !strings.Contains(patterns[0], "x") || !strings.Contains(patterns[0], ".") {
		t.Errorf("%v", patterns)
	}
}

func TestBadFaultsAreRefused(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for _, f := range []Fault{{Match: Match{PathPattern: "("}, Action: Action{Kind: ActionStatus}}, {Action: Action{Kind: "explode"}}, {Action: Action{Kind: ActionStatus, Status: 99}}} {
		if w.sim.Fault(f) == nil {
			t.Errorf("%+v was accepted", f)
		}
	}
	if _, err := New(Config{Edition: "gold"}); err == nil {
		t.Error("edition gold was accepted")
	}
	if err := w.sim.Configure(func(c *Config) { c.Variants.StatusCase = "odd" }); err == nil {
		t.Error("status case odd was accepted")
	}
	if a := w.do(http.MethodPost, "/_sim/faults", `{"match":{"nth":1},"action":{"kind":"status","surprise":1}}`); a.status != 400 {
		t.Errorf("unknown key: %d", a.status)
	}
}
