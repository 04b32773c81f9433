package zoho

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// limitTrials are about what Zoho allows, counts and refuses.
func limitTrials() map[string]trial {
	plain := trial{}
	tight := func(c *zohosim.Config) { c.Edition = "free" } // 5 calls at once
	return map[string]trial{
		`row_limit=10000`:                         {run: manyRows},
		`child_rows=200`:                          {run: childRows},
		`open_jobs=1`:                             {before: inSmallJobs, after: throttledJobs},
		`daily_jobs=2`:                            {run: twoJobsADay},
		`token_error_status=400`:                  {run: grantGone},
		`omit_token_scope=true`:                   plain,
		`bare_server_info=true`:                   {run: locations},
		`throttle_message="Rate limit exceeded."`: {config: tight, run: bursts},
		`retry_after=1`:                           {config: tight, run: bursts},
		`omit_credits_header=true`:                {run: creditsSpent},
		`upload_cost=1`:                           {run: ledgerHolds},
		`deleted_list_cost=1`:                     {run: ledgerHolds},
		`delete_cost=10`:                          {run: ledgerHolds},
		`paid_type="zohoonestandard"`:             {after: connected("Standard")},
		`paid_type="Vertical Suite"`:              {after: connected("Standard")}, // unknown: the least that is paid
		`bulk_needs_paid=true`:                    {config: func(c *zohosim.Config) { c.Edition = "standard" }, run: noBulk},
	}
}

// manyRows: a file that is refused for its rows teaches the connector.
func manyRows(t *testing.T, j *journey) {
	header := []string{"External_Key", "Last_Name", "Company"}
	rows := make([][]string, 12_000)
	for i := range rows {
		rows[i] = []string{fmt.Sprint("k", i), "Ray", "Acme"}
	}
	s := j.open()
	for _, want := range []connector.Status{connector.StatusRetry, connector.StatusSucceeded} {
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
		if err := s.SyncOutbound(t.Context(), syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), header), out); err != nil {
			t.Fatal(err)
		}
		out.want(want, len(rows))
	}
	writes := j.sim.WritesPerRecord("Leads")
	for id, n := range writes {
		if n != 1 {
			t.Errorf("%s was written %d times", id, n)
		}
	}
	if len(writes) != len(rows) {
		t.Errorf("%d leads", len(writes))
	}
}

// childRows: the connector writes the rows of a subform as records of their own
// module, where the limit of child files does not count.
func childRows(t *testing.T, j *journey) {
	parent, err := j.sim.Insert("Accounts", map[string]string{"Account_Name": "Acme"})
	if err != nil {
		t.Fatal(err)
	}
	header := []string{"Parent_Id", "Item", "Quantity"}
	rows := make([][]string, 250)
	for i := range rows {
		rows[i] = []string{parent, fmt.Sprint("item ", i), fmt.Sprint(i)}
	}
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
	err = j.world.run(syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Service_Items"}, fieldPath: {pathBulk}}, header), out)
	if e := connector.AsError(err); e != nil && e.Code == "MODULE_NOT_WRITABLE" {
		j.whole(nil) // subforms are not offered: nothing is sent that could be too much
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	out.want(connector.StatusSucceeded, len(rows))
	if n := j.sim.Count("Service_Items"); n != len(rows) {
		t.Errorf("%d rows", n)
	}
}

func inSmallJobs(j *journey) {
	j.answers[fieldBatchSize] = []string{"4"}
	j.rounds = 30
}

func throttledJobs(t *testing.T, j *journey) {
	if j.sim.Counters().ThrottledJobs == 0 {
		t.Error("no job was refused")
	}
}

// twoJobsADay: what does not go through today does tomorrow.
func twoJobsADay(t *testing.T, j *journey) {
	inSmallJobs(j)
	j.between = func(int) { j.sim.AdvanceClock(25 * time.Hour) }
	j.seedOld("b")
	all := tales("b", 14)
	j.write(connector.ActionCreate, all)
	j.check(all)
	if len(j.seen[connector.StatusRetry])+len(j.seen[connector.StatusDelayed]) == 0 || j.sim.Counters().ThrottledJobs == 0 {
		t.Error("nothing had to wait")
	}
}

// grantGone: whatever the status, a grant that is gone asks for a new login.
func grantGone(t *testing.T, j *journey) {
	j.whole(nil)
	gone := j.connection
	gone.Secrets = connector.Answers{fieldClientSecret: {j.sim.ClientSecret()}, keptRefreshToken: {"1000.gone.gone"}}
	s, err := j.connector.Open(t.Context(), gone)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }() // nothing is under way
	_, err = s.(*session).Streams(t.Context(), connector.StreamQuery{})
	if e := connector.AsError(err); e == nil || e.Class != connector.ClassAuth || e.Code != "INVALID_CODE" || len(e.Help) == 0 {
		t.Errorf("%v", err)
	}
}

// bursts: refusals in a row on every road are ridden out.
func bursts(t *testing.T, j *journey) {
	each := 3
	if j.sim.Config().Variants.RetryAfter > 0 {
		each = 1 // each costs a second that passes
	}
	paths := []string{`/upload$`, `/bulk/v8/write$`, `/bulk/v8/write/`, `/bulk-write/`, `/Leads`, `/bulk/v8/read$`, `/bulk/v8/read/[0-9]+$`}
	for _, path := range paths {
		if err := j.sim.Fault(zohosim.Fault{Match: zohosim.Match{PathPattern: path, Count: each}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429}}); err != nil {
			t.Fatal(err)
		}
	}
	j.whole(nil)
	if n := j.sim.Counters().Faults[string(zohosim.ActionStatus)]; n != len(paths)*each {
		t.Errorf("%d refusals", n)
	}
}

// unlimited lets the connector run into Zoho's limits: its host knows none.
func (j *journey) unlimited() {
	j.connection.Limits = connector.Limits{Limits: []connector.Limit{{Category: "all", Matchers: []connector.Matcher{{}}}}}
}

// creditsSpent: when the credits are gone records wait for the next day, also
// where Zoho does not say that it is the credits.
func creditsSpent(t *testing.T, j *journey) {
	if err := j.sim.Configure(func(c *zohosim.Config) { c.Edition = "free" }); err != nil { // 5,000 a day
		t.Fatal(err)
	}
	j.unlimited()
	inSmallJobs(j)
	j.between = func(int) { j.sim.AdvanceClock(25 * time.Hour) }
	j.seedOld("b")
	all := tales("b", 60) // 14 jobs of 500 credits
	j.write(connector.ActionCreate, all)
	j.check(all)
	if j.sim.Counters().ThrottledCredits == 0 {
		t.Error("the credits were never gone")
	}
}

// ledgerHolds: a call that costs more or less than thought does no harm.
func ledgerHolds(t *testing.T, j *journey) {
	j.whole(nil)
	if c := j.sim.Credits(); c.SpentEver == 0 || c.Remaining <= 0 {
		t.Errorf("%+v", c)
	}
}

// noBulk: an edition without bulk jobs says so in the outcome, and record calls
// and queries do all of it.
func noBulk(t *testing.T, j *journey) {
	j.seedOld("b")
	out := newOut(t, batchOf(connector.ActionCreate, taleHeader, 1, tales("b", 3)[0].cells))
	err := j.world.run(syncFor(connector.StrategyUpsert, j.answers, taleHeader), out)
	if e := connector.AsError(err); e == nil || e.Code != "FEATURE_NOT_ENABLED" || len(e.Help) == 0 {
		t.Errorf("the run ended with %v", err)
	}
	if n := j.sim.Count("Leads"); n != 2 {
		t.Errorf("%d leads", n)
	}
	j.seedOld("r")
	j.byRecordCalls(tales("r", 8))
	j.sim.AdvanceClock(time.Minute)
	in := newIn(t)
	if d := j.readBy(pathRecords, "Leads", connector.ReadFullRefresh, "", in, taleHeader...); d.Error != nil {
		t.Error(d.Error)
	} else {
		j.holdsAll(d, in)
	}
}

// readTrials are about bulk read and queries.
func readTrials() map[string]trial {
	plain := trial{}
	paged := func(c *zohosim.Config) { c.PageRows = 4 }
	many := trial{before: func(j *journey) { j.generate(450) }, run: byQueries}
	return map[string]trial{
		`multi_select_separator=","`:                   plain,
		`no_page_token=true`:                           {config: paged},
		`page_token_since=7`:                           {config: paged},
		`page_token_since=9`:                           {config: paged},
		`max_page=50`:                                  {config: func(c *zohosim.Config) { c.PageRows = 1 }, before: func(j *journey) { j.generate(60); j.unlimited() }},
		`id_column="id"`:                               {config: paged},
		`id_column="ID"`:                               {config: paged},
		`id_column_last=true`:                          {config: paged},
		`empty_result_file=true`:                       plain,
		`read_content_type="application/x-download"`:   plain,
		`read_content_type="application/octet-stream"`: plain,
		`coql_rows=200`:                                many,
		`coql_fields=50`:                               many,
		`coql_reach=10000`:                             many,
	}
}

func (j *journey) generate(n int) {
	j.t.Helper()
	if err := j.sim.Generate("Leads", n, 7); err != nil {
		j.t.Fatal(err)
	}
}

// byQueries reads all by queries, then goes on the journey, whose increments go
// by queries too.
func byQueries(t *testing.T, j *journey) {
	in := newIn(t)
	if d := j.readBy(pathRecords, "Leads", connector.ReadFullRefresh, "", in); d.Error != nil || len(in.rows["Leads"]) != 450 || in.received != 450 {
		t.Fatalf("%v, %d rows, %d received", d.Error, len(in.rows["Leads"]), in.received)
	}
	for _, id := range j.ids("Leads") {
		if in.rows["Leads"][id] == nil {
			t.Errorf("%s was not read", id)
		}
	}
	j.whole(nil)
	if j.sim.Counters().Requests["POST /crm/{v}/coql"] < 3 {
		t.Error("no query was made")
	}
}
