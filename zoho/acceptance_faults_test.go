package zoho

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// road is a kind of call a fault can lie on.
type road struct {
	name, method, path string
	trip               string // which journey takes it: bulk, records or read
}

var roads = []road{
	{"token", "POST", `/oauth/v2/token$`, "bulk"},
	{"fields", "GET", `/settings/fields$`, "bulk"},
	{"upload", "POST", `/upload$`, "bulk"},
	{"create", "POST", `/bulk/v8/write$`, "bulk"},
	{"poll", "GET", `/bulk/v8/write/`, "bulk"},
	{"report", "GET", `/bulk-write/`, "bulk"},
	{"records", "POST", `/crm/v8/(Leads|Vendors)`, "records"},
	{"read create", "POST", `/bulk/v8/read$`, "read"},
	{"read poll", "GET", `/bulk/v8/read/[0-9]+$`, "read"},
	{"read result", "GET", `/result$`, "read"},
	{"query", "POST", `/coql$`, "read"},
	{"deleted list", "GET", `/deleted$`, "read"},
	{"delete", "DELETE", `/crm/v8/Leads`, "read"},
}

// hazard is a fault and what it may do at worst.
type hazard struct {
	name   string
	action zohosim.Action
	count  int      // how often it strikes; 1 when 0
	nth    int      // only this call
	roads  []string // where; empty for all
	// lost says that the call's effect may have happened unseen: then a creation
	// that cannot be repeated leaves its records in doubt, and one that can be
	// is repeated.
	lost bool
}

// hazards are all faults of the panel.
func hazards() []hazard {
	files, jobs := []string{"report", "read result"}, []string{"create", "read create"}
	notToken := []string{"fields", "upload", "create", "poll", "report", "records", "read create", "read poll", "read result", "query", "deleted list", "delete"}
	return []hazard{
		{name: "status 500", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 500}, lost: true},
		{name: "status 502", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 502}, lost: true},
		{name: "status 503 on the second call", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 503}, nth: 2, lost: true},
		{name: "a burst of 429", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429}, count: 3, roads: notToken},
		{name: "429 with Retry-After", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429, RetryAfter: "1"}, roads: notToken},
		{name: "status 401", action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 401}, roads: notToken},
		{name: "done and answered 504", action: zohosim.Action{Kind: zohosim.ActionStatusAfter, Status: 504}, lost: true},
		{name: "dropped before", action: zohosim.Action{Kind: zohosim.ActionDropBefore}, lost: true},
		{name: "dropped after", action: zohosim.Action{Kind: zohosim.ActionDropAfter}, lost: true},
		{name: "torn zip", action: zohosim.Action{Kind: zohosim.ActionTornFile}, roads: files},
		{name: "corrupt zip", action: zohosim.Action{Kind: zohosim.ActionCorruptFile}, count: 2, roads: files},
		{name: "slow answers", action: zohosim.Action{Kind: zohosim.ActionDelay, Delay: zohosim.Duration(50 * time.Millisecond)}, count: 3},
		{name: "failing job", action: zohosim.Action{Kind: zohosim.ActionFailJob}, roads: jobs, lost: true},
		{name: "stuck job", action: zohosim.Action{Kind: zohosim.ActionStuckJob}, roads: jobs},
		{name: "token revoked", action: zohosim.Action{Kind: zohosim.ActionRevokeToken}, roads: notToken},
		{name: "clock ahead", action: zohosim.Action{Kind: zohosim.ActionClockSkew, Delay: zohosim.Duration(2 * time.Hour)}},
		{name: "clock back", action: zohosim.Action{Kind: zohosim.ActionClockSkew, Delay: zohosim.Duration(-30 * time.Second)}},
	}
}

// TestEveryFault lays every fault of the panel on every road it can lie on. The
// kinds are the simulator's own list: one nobody thought of fails the test.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	kinds := map[zohosim.ActionKind]bool{}
	for _, k := range zohosim.ActionKinds() {
		kinds[k] = true
	}
	for _, h := range hazards() {
		delete(kinds, h.action.Kind)
		for _, r := range roads {
			if len(h.roads) > 0 && !slices.Contains(h.roads, r.name) {
				continue
			}
			t.Run(h.name+"/"+r.name, func(t *testing.T) {
				t.Parallel()
				h.lie(t, r)
			})
		}
	}
	for kind := range kinds {
		t.Errorf("no trial for the fault %s", kind)
	}
}

func (h hazard) lie(t *testing.T, r road) {
	t.Helper()
	j := newJourney(newWorld(t, func(c *zohosim.Config) {
		c.JobPolls, c.PageRows = 2, 10
		c.DisableDownloadLimit, c.DisableTokenThrottle = true, true
	}), pathBulk)
	arm := func() {
		t.Helper()
		match := zohosim.Match{Method: r.method, PathPattern: r.path, Nth: h.nth, Count: max(h.count, 1)}
		if err := j.sim.Fault(zohosim.Fault{Match: match, Action: h.action}); err != nil {
			t.Fatal(err)
		}
		if r.name == "token" {
			j.sim.ExpireTokens() // so that one is asked for
		}
	}
	unsafe := h.lost && (r.name == "create" || r.name == "records")
	switch {
	case h.action.Kind == zohosim.ActionStuckJob && r.trip == "read":
		h.stuckRead(j, arm)
	case h.action.Kind == zohosim.ActionStuckJob:
		h.stuckWrite(j, arm)
	case r.trip == "read":
		h.reading(j, arm)
	default:
		h.writing(j, arm, map[string]string{"bulk": pathBulk, "records": pathRecords}[r.trip], unsafe)
	}
	if n := j.sim.Counters().Faults[string(h.action.Kind)]; n == 0 && h.nth == 0 {
		t.Error("the fault never struck")
	}
}

// writing writes records that have a key, and then some that have none, which
// could be there twice.
func (h hazard) writing(j *journey, arm func(), path string, unsafe bool) {
	j.t.Helper()
	j.answers[fieldPath] = []string{path}
	j.seedOld("b")
	all := tales("b", 8)
	if path == pathRecords {
		refuse(all, newPick, "REJECTED INVALID_DATA")
	}
	for _, tale := range all {
		if unsafe {
			tale.again = 1
		}
		if tale.label == twin && path == pathRecords {
			tale.want, tale.again = wrote, tale.again+1 // onto the record that has the e-mail
		}
	}
	arm()
	j.write(connector.ActionCreate, all)
	j.check(all)
	j.sim.ClearFaults()
	arm()
	j.inserts(path, unsafe)
}

// inserts creates records that nothing keeps from being there twice, but care.
func (j *journey) inserts(path string, mayDoubt bool) {
	j.t.Helper()
	header := []string{"Vendor_Name", "Phone"}
	sync := syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Vendors"}, fieldPath: {path}, fieldBatchSize: {"10"}}, header)
	open, doubted := map[string]bool{}, map[string]bool{}
	for i := range 25 {
		open[fmt.Sprintf("vendor %02d", i)] = true
	}
	for round := 0; round < 6 && len(open) > 0; round++ {
		names := slices.Sorted(maps.Keys(open))
		var rows [][]string
		for _, n := range names {
			rows = append(rows, []string{n, "1"})
		}
		out := newOut(j.t, batchOf(connector.ActionCreate, header, 1, rows...))
		if err := j.world.run(sync, out); err != nil {
			j.t.Fatalf("round %d: %v", round, err)
		}
		for i, n := range names {
			switch o := out.outcomes[int64(i+1)]; o.status {
			case connector.StatusRetry, connector.StatusDelayed:
			case connector.StatusInDoubt:
				doubted[n] = true
				delete(open, n)
			case connector.StatusSucceeded:
				delete(open, n)
			default:
				j.t.Errorf("%s: %s", n, fate(o))
				delete(open, n)
			}
		}
	}
	there := map[string]int{}
	for r := range j.sim.Records("Vendors") {
		there[r["Vendor_Name"]]++
	}
	for i := range 25 {
		n := fmt.Sprintf("vendor %02d", i)
		switch {
		case open[n]:
			j.t.Errorf("%s was never settled", n)
		case there[n] > 1:
			j.t.Errorf("%s is there %d times: doubled", n, there[n])
		case there[n] == 0 && !doubted[n]:
			j.t.Errorf("%s is not there: lost", n)
		}
	}
	if len(doubted) > 0 && !mayDoubt {
		j.t.Errorf("%d records are in doubt without need", len(doubted))
	}
	for id, n := range j.sim.WritesPerRecord("Vendors") {
		if n != 1 {
			j.t.Errorf("the vendor %s was written %d times", id, n)
		}
	}
}

// reading reads pages, changes and deletions while the fault strikes.
func (h hazard) reading(j *journey, arm func()) {
	j.t.Helper()
	if err := j.sim.Generate("Leads", 25, 3); err != nil {
		j.t.Fatal(err)
	}
	arm()
	j.readBack()
}

// A host whose clock is wrong, either way, loses no change: the end of a read is
// Zoho's present at the latest.
func TestAHostWithAWrongClockLosesNothing(t *testing.T) {
	t.Parallel()
	for _, wrong := range []time.Duration{-time.Hour, -time.Minute, time.Minute, 10 * time.Minute, 26 * time.Hour} {
		t.Run(wrong.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			w.connect()
			have, state := map[string]bool{}, ""
			var gone []string
			for round := range 6 {
				in := newIn(t)
				d := w.read("Leads", connector.ReadIncremental, state, w.sim.Now().Add(wrong), in)
				if d.Error != nil {
					t.Fatal(d.Error)
				}
				state = d.State
				for id := range in.rows["Leads"] {
					have[id] = true
				}
				gone = append(gone, in.tombstones["Leads"]...)
				w.insertLead(fmt.Sprint("k", round), nil)
				if ids := w.ids("Leads"); round == 4 {
					w.sim.Delete("Leads", ids[0])
				}
				w.sim.AdvanceClock(30 * time.Second)
			}
			w.sim.AdvanceClock(2 * time.Hour)
			in := newIn(t)
			if d := w.read("Leads", connector.ReadIncremental, state, w.sim.Now().Add(wrong), in); d.Error != nil {
				t.Fatal(d.Error)
			}
			for id := range in.rows["Leads"] {
				have[id] = true
			}
			for _, id := range w.ids("Leads") {
				if !have[id] {
					t.Errorf("%s was never read", id)
				}
			}
			if gone = append(gone, in.tombstones["Leads"]...); len(gone) == 0 {
				t.Error("the deletion was never read")
			}
		})
	}
}

// stuckWrite: a job that never ends leaves its records to a later run, with a
// ticket.
func (h hazard) stuckWrite(j *journey, arm func()) {
	j.t.Helper()
	arm()
	var tickets []connector.Ticket
	j.begin = func(out *fakeOut) { out.onTicket = func(ticket connector.Ticket) { tickets = append(tickets, ticket) } }
	j.sync = func(s *connector.OutboundSync) { s.Deadline = time.Now().Add(time.Second) }
	j.rounds = 1
	all := tales("b", 8)
	j.write(connector.ActionCreate, all)
	for _, t := range all {
		if o := j.settled[t]; o.status != connector.StatusDelayed && !strings.HasPrefix(t.want, "INVALID") {
			j.t.Errorf("%s: %s", t.label, fate(o))
		}
	}
	if len(tickets) == 0 || tickets[len(tickets)-1].State != connector.TicketSubmitted || j.sim.Count("Leads") != 0 {
		j.t.Errorf("tickets %v, %d leads", tickets, j.sim.Count("Leads"))
	}
}

// stuckRead: the stream ends as unfinished and its state remembers the job; after
// a day another is made.
func (h hazard) stuckRead(j *journey, arm func()) {
	j.t.Helper()
	j.generate(5)
	arm()
	in := newIn(j.t)
	sync := connector.InboundSync{
		StartedAt: j.sim.Now().Add(time.Minute), Deadline: time.Now().Add(time.Second), AcksCheckpoints: true,
		Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadFullRefresh}},
	}
	if err := j.open().SyncInbound(j.t.Context(), sync, in); err != nil {
		j.t.Fatal(err)
	}
	j.sim.ClearFaults()
	j.sim.AdvanceClock(25 * time.Hour)
	again := newIn(j.t)
	if d := j.read("Leads", connector.ReadFullRefresh, in.checkpoints["Leads"][0], j.sim.Now(), again); d.Error != nil || len(again.rows["Leads"]) != 5 {
		j.t.Errorf("a day later: %v, %d rows", d.Error, len(again.rows["Leads"]))
	}
	if d := in.done["Leads"]; d.Error == nil || d.Error.Class != connector.ClassTransient && d.Error.Class != connector.ClassCancelled || len(in.checkpoints["Leads"]) != 1 || in.received != 0 {
		j.t.Errorf("%v, checkpoints %v, %d rows", d.Error, in.checkpoints, in.received)
	}
}
