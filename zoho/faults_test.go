package zoho

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

func TestFailedJobGivesItsCodeToEveryRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	if err := w.sim.Fault(zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/bulk/v8/write`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionFailJob}}); err != nil {
		t.Fatal(err)
	}
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 5)...))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), out)
	for seq, o := range out.outcomes {
		if o.status == connector.StatusSucceeded || o.err == nil || o.err.Code == "" || o.err.Code != out.outcomes[1].err.Code {
			t.Errorf("record %d: %+v", seq, o)
		}
	}
}

// A creation whose answer is lost may have made the job. Where repeating does
// no harm the records are sent again, otherwise they are in doubt.
func TestLostAnswerAfterCommit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		sync   connector.OutboundSync
		status connector.Status
	}{
		{"upsert", syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), connector.StatusRetry},
		{"insert", syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {pathBulk}}, leadHeader), connector.StatusInDoubt},
		{"insert, keyed", syncFor(connector.StrategyCreate, upsertAnswers(pathBulk), leadHeader), connector.StatusRetry},
		{"insert by records", syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {pathRecords}}, leadHeader), connector.StatusInDoubt},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			for _, path := range []string{`/bulk/v8/write$`, `/crm/v8/Leads`} {
				if err := w.sim.Fault(zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: path, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionDropAfter}}); err != nil {
					t.Fatal(err)
				}
			}
			out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 5)...))
			w.must(c.sync, out)
			out.want(c.status, 5)
			if c.status != connector.StatusRetry {
				return
			}
			again := newOut(t, batchOf(connector.ActionCreate, leadHeader, 11, leads(1, 5)...))
			w.must(c.sync, again)
			again.want(connector.StatusSucceeded, 5)
			if n := w.sim.Count("Leads"); n != 5 {
				t.Errorf("%d leads after repeating", n)
			}
		})
	}
}

func TestARefusedCreationIsNotInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	body := `{"code":"REQUEST_BODY_NOT_READABLE","details":{},"message":"no","status":"error"}`
	err := w.sim.Fault(zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/bulk/v8/write$`}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 400, Body: body}})
	if err != nil {
		t.Fatal(err)
	}
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 5)...))
	w.must(syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {pathBulk}}, leadHeader), out)
	out.want(connector.StatusRejected, 5)
}

func TestPassingFaultsAreRiddenOut(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]zohosim.Fault{
		"status question fails": {Match: zohosim.Match{Method: "GET", PathPattern: `/bulk/v8/write/`, Count: 2}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 502}},
		"torn report":           {Match: zohosim.Match{PathPattern: `/bulk-write/`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionTornFile}},
		"damaged report":        {Match: zohosim.Match{PathPattern: `/bulk-write/`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionCorruptFile}},
		"token revoked":         {Match: zohosim.Match{Method: "GET", PathPattern: `/bulk/v8/write/`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionRevokeToken}},
		"revoked at creation":   {Match: zohosim.Match{PathPattern: `/bulk/v8/write$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionRevokeToken}},
		"upload answer lost":    {Match: zohosim.Match{PathPattern: `/upload`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionDropAfter}},
		"throttled":             {Match: zohosim.Match{PathPattern: `/bulk/v8/write$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = 3 })
			if err := w.sim.Fault(fault); err != nil {
				t.Fatal(err)
			}
			out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 5)...))
			w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), out)
			out.want(connector.StatusSucceeded, 5)
			if w.sim.Counters().Faults[string(fault.Action.Kind)] == 0 {
				t.Error("the fault never struck")
			}
		})
	}
}

// A run that ends while Zoho works on a job leaves the ticket; the next run
// goes on polling and sends nothing again.
func TestResumeFromATicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.JobPolls = 4 })
	sync := syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {pathBulk}}, leadHeader)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 20)...))
	var submitted atomic.Pointer[connector.Ticket]
	out.onTicket = func(ticket connector.Ticket) {
		if ticket.State == connector.TicketSubmitted {
			submitted.Store(&ticket)
			cancel()
		}
	}
	_ = w.open().SyncOutbound(ctx, sync, out) // cancelled: what it returns is the host's affair
	ticket := submitted.Load()
	if ticket == nil {
		t.Fatal("no ticket was submitted")
	}
	if got := out.states(); got[len(got)-1] != connector.TicketSubmitted {
		t.Errorf("ticket states %v", got)
	}
	again := batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 20)...)
	again.Ticket = ticket.ID
	resumed := newOut(t, again)
	sync.Tickets = []connector.Ticket{*ticket}
	w.must(sync, resumed)
	resumed.want(connector.StatusSucceeded, 20)
	if c := w.sim.Counters(); c.BulkWriteJobs != 1 || w.sim.Count("Leads") != 20 {
		t.Errorf("%d jobs, %d leads", c.BulkWriteJobs, w.sim.Count("Leads"))
	}
}

func TestAJobThatIsGoneLeavesInsertsInDoubt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for _, c := range []struct {
		answers connector.Answers
		want    connector.Status
	}{{connector.Answers{fieldModule: {"Leads"}}, connector.StatusInDoubt}, {upsertAnswers(pathBulk), connector.StatusRetry}} {
		b := batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 3)...)
		b.Ticket = "t1"
		sync := syncFor(connector.StrategyCreate, c.answers, leadHeader)
		sync.Tickets = []connector.Ticket{{
			ID: "t1", State: connector.TicketSubmitted, Seqs: connector.SeqRanges(b.Seqs), Handle: jobHandle{Module: "Leads", JobID: "5700000000000999999", Rows: 3}.text(),
		}}
		out := newOut(t, b)
		w.must(sync, out)
		out.want(c.want, 3)
	}
}

// Zoho's pages name two row limits. A file that is refused for its size teaches
// the session to send smaller ones, and its records are sent again.
func TestARefusedFileTeachesTheRowLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.Variants.RowLimit = 10_000 })
	header := []string{"External_Key", "Last_Name", "Company"}
	rows := make([][]string, 12_000)
	for i := range rows {
		rows[i] = []string{fmt.Sprint("k", i), "Ray", "Acme"}
	}
	s := w.open()
	for _, want := range []connector.Status{connector.StatusRetry, connector.StatusSucceeded} {
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
		if err := s.SyncOutbound(t.Context(), syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), header), out); err != nil {
			t.Fatal(err)
		}
		out.want(want, 12_000)
	}
	if n := w.sim.Count("Leads"); n != 12_000 {
		t.Errorf("%d leads", n)
	}
}

func TestMandatoryFieldsFoundByAJobStopTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.Variants.MandatoryOnUpdate = true; c.Variants.MandatoryAsFailedJob = true })
	header := []string{"External_Key", "City"}
	answers := upsertAnswers(pathBulk)
	answers[fieldBatchSize], answers[fieldConcurrency] = []string{"1"}, []string{"1"}
	out := newOut(t, batchOf(connector.ActionUpdate, header, 1, []string{"a", "x"}, []string{"b", "x"}, []string{"c", "x"}))
	err := w.run(syncFor(connector.StrategyUpdate, answers, header), out)
	e := connector.AsError(err)
	if e == nil || e.Class != connector.ClassConfig || e.Code != "MANDATORY_FIELDS_NOT_MAPPED" {
		t.Errorf("the run ended with %v", err)
	}
	if c := w.sim.Counters(); c.BulkWriteJobs != 1 {
		t.Errorf("%d jobs were paid for", c.BulkWriteJobs)
	}
	if o := out.outcomes[1]; o.err == nil || o.err.Code != "MANDATORY_FIELDS_NOT_MAPPED" {
		t.Errorf("%+v", o)
	}
}

// A stop, or the end of the time given, leaves the job to Zoho and its ticket to
// the host.
func TestAStopLeavesTheTicket(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*connector.OutboundSync, *fakeOut){
		"stop now": func(_ *connector.OutboundSync, out *fakeOut) {
			out.onTicket = func(ticket connector.Ticket) {
				if ticket.State == connector.TicketSubmitted {
					out.stop <- connector.Stop{Mode: connector.StopNow, Deadline: time.Now().Add(time.Minute)}
				}
			}
		},
		"deadline": func(sync *connector.OutboundSync, _ *fakeOut) { sync.Deadline = time.Now().Add(time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			stuck := zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/write$`}, Action: zohosim.Action{Kind: zohosim.ActionStuckJob}}
			if err := w.sim.Fault(stuck); err != nil {
				t.Fatal(err)
			}
			sync := syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader)
			out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 5)...))
			end(&sync, out)
			w.must(sync, out)
			out.want(connector.StatusDelayed, 5)
			if got := fmt.Sprint(out.states()); got != "[PREPARED SUBMITTED]" {
				t.Errorf("ticket states %s", got)
			}
			if len(out.progress) == 0 {
				t.Error("nothing was said while waiting")
			}
		})
	}
}

func TestAnUploadThatIsGoneIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	body := `{"code":"INVALID_FILE_ID","details":{},"message":"improper file id","status":"error"}`
	gone := zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/write$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 400, Body: body}}
	if err := w.sim.Fault(gone); err != nil {
		t.Fatal(err)
	}
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 5)...))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), out)
	out.want(connector.StatusSucceeded, 5)
	if c := w.sim.Counters(); c.Uploads != 2 || c.BulkWriteJobs != 1 {
		t.Errorf("%d uploads, %d jobs", c.Uploads, c.BulkWriteJobs)
	}
}

// A file that Zoho finds too large is sent in halves, and each fares by itself.
func TestAHalfThatFailsFailsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	large := `{"code":"FILE_TOO_LARGE","details":{},"message":"File size too large to process","status":"error"}`
	refused := `{"code":"REQUEST_BODY_NOT_READABLE","details":{},"message":"no","status":"error"}`
	for _, f := range []zohosim.Fault{
		{Match: zohosim.Match{PathPattern: `/upload$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 413, Body: large}},
		{Match: zohosim.Match{Method: "POST", PathPattern: `/bulk/v8/write$`, Count: 1}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 400, Body: refused}},
	} {
		if err := w.sim.Fault(f); err != nil {
			t.Fatal(err)
		}
	}
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, 10)...))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), leadHeader), out)
	if got := out.count(); got[connector.StatusSucceeded] != 5 || got[connector.StatusRejected] != 5 || w.sim.Count("Leads") != 5 {
		t.Errorf("outcomes %v, %d leads", got, w.sim.Count("Leads"))
	}
	for seq := int64(1); seq <= 10; seq++ {
		if o := out.outcomes[seq]; (seq <= 5) == (o.status == connector.StatusSucceeded) {
			t.Errorf("record %d: %+v", seq, o)
		}
	}
}

// A chunk of many calls begins none after a stop, though one that is being
// submitted is let end.
func TestAStopBeginsNoFurtherRecordCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connect()
	slow := zohosim.Fault{Match: zohosim.Match{Method: "POST", PathPattern: `/crm/v8/Leads$`}, Action: zohosim.Action{Kind: zohosim.ActionDelay, Delay: zohosim.Duration(200 * time.Millisecond)}}
	if err := w.sim.Fault(slow); err != nil {
		t.Fatal(err)
	}
	const n = 2000 // 20 calls, 4 at once
	out := newOut(t, batchOf(connector.ActionCreate, leadHeader, 1, leads(1, n)...))
	out.onTicket = func(ticket connector.Ticket) {
		if ticket.State == connector.TicketPrepared {
			out.stop <- connector.Stop{Mode: connector.StopNow, Deadline: time.Now().Add(time.Minute)}
		}
	}
	w.must(syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {pathRecords}}, leadHeader), out)
	got := out.count()
	if got[connector.StatusInDoubt] != 0 || got[connector.StatusSucceeded] != w.sim.Count("Leads") || got[connector.StatusSucceeded] > 1000 {
		t.Errorf("outcomes %v, %d leads", got, w.sim.Count("Leads"))
	}
}
