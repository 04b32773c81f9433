package zoho

import (
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// A process knows nothing of the downloads of those before it, so Zoho may
// refuse its first. It waits the minute out.
func TestADownloadThatComesTooSoonIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connect() // keeps a token for all sessions
	w.insertLead("a", nil)
	for range 10 {
		if d := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), newIn(t), "Last_Name"); d.Error != nil {
			t.Fatal(d.Error)
		}
	}
	in := newIn(t)
	in.onSaid = func(p connector.Progress) {
		if p.Waiting == connector.WaitingLimit && strings.Contains(p.Activity, "ten downloads") {
			w.sim.AdvanceClock(time.Minute)
		}
	}
	if d := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in, "Last_Name"); d.Error != nil || len(in.rows["Leads"]) != 1 {
		t.Errorf("%v, %d rows", d.Error, len(in.rows["Leads"]))
	}
	c := w.sim.Counters()
	if c.ThrottledDownloads == 0 || c.BulkReadJobs != 11 {
		t.Errorf("%d downloads were refused, %d jobs created", c.ThrottledDownloads, c.BulkReadJobs)
	}
}

// Where there is no time to wait, the stream ends with what a host takes for a
// delay, and the job is found again.
func TestABlockedDownloadIsLeftToALaterRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.connector = New(append(quick(t), func(c *config) { c.downloadBlock = time.Hour })...)
	w.insertLead("a", nil)
	busy := zohosim.Fault{Match: zohosim.Match{PathPattern: `/result$`}, Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429}}
	if err := w.sim.Fault(busy); err != nil {
		t.Fatal(err)
	}
	in := newIn(t)
	sync := connector.InboundSync{
		StartedAt: w.sim.Now(), Deadline: time.Now().Add(10 * time.Minute),
		Streams: []connector.StreamSelection{{Name: "Leads", Mode: connector.ReadFullRefresh, Fields: []string{"Last_Name"}}},
	}
	if err := w.open().SyncInbound(t.Context(), sync, in); err != nil {
		t.Fatal(err)
	}
	d := in.done["Leads"]
	if d.Error == nil || d.Error.Class != connector.ClassRateLimited || d.Error.RetryAfter != time.Hour {
		t.Fatalf("ended with %v", d.Error)
	}
	w.sim.ClearFaults()
	states := in.checkpoints["Leads"]
	again := newIn(t)
	if d := w.read("Leads", connector.ReadFullRefresh, states[len(states)-1], w.sim.Now(), again, "Last_Name"); d.Error != nil || len(again.rows["Leads"]) != 1 {
		t.Errorf("%v, %d rows", d.Error, len(again.rows["Leads"]))
	}
	if c := w.sim.Counters(); c.BulkReadJobs != 1 {
		t.Errorf("%d jobs", c.BulkReadJobs)
	}
}

// The id alone can be selected. Zoho must be asked for a field then, which is
// not sent.
func TestOnlyWhatWasSelectedIsSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.PageRows = 2; c.DisableDownloadLimit = true })
	w.connect() // keeps a token for all sessions
	for _, key := range []string{"a", "b", "c"} {
		w.insertLead(key, nil)
	}
	for _, fields := range [][]string{{"id"}, {"id", "City"}, {"City"}} {
		in := newIn(t)
		if d := w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in, fields...); d.Error != nil || len(in.rows["Leads"]) != 3 {
			t.Fatalf("%v: %v, %d rows", fields, d.Error, len(in.rows["Leads"]))
		}
		for column := range in.kinds {
			if column != "id" && column != "City" || column == "City" && len(fields) == 1 && fields[0] == "id" {
				t.Errorf("%v: the column %s was sent", fields, column)
			}
		}
		// A read that goes on in another run sends the same columns.
		for _, state := range in.checkpoints["Leads"] {
			again := newIn(t)
			if d := w.read("Leads", connector.ReadFullRefresh, state, w.sim.Now(), again, fields...); d.Error != nil || len(again.kinds) != len(in.kinds) {
				t.Errorf("%v: %v, columns %v, want %v", fields, d.Error, again.kinds, in.kinds)
			}
		}
	}
}

func TestAFieldSelectedInTheMiddleOfAReadBeginsItAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *zohosim.Config) { c.PageRows = 1; c.DisableDownloadLimit = true })
	a, b := w.insertLead("a", map[string]string{"City": "Bonn"}), w.insertLead("b", map[string]string{"City": "Köln"})
	in := newIn(t)
	w.read("Leads", connector.ReadFullRefresh, "", w.sim.Now(), in, "Last_Name")
	state := in.checkpoints["Leads"][1] // after the first page
	again := newIn(t)
	w.read("Leads", connector.ReadFullRefresh, state, w.sim.Now(), again, "City")
	if rows := again.rows["Leads"]; rows[a]["City"] != "Bonn" || rows[b]["City"] != "Köln" {
		t.Errorf("rows %v", rows)
	}
}
