package zoho

import (
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// TestWhichTimesOccurTwice compares with every minute around transitions: a time
// occurs twice when another instant of the same zone has its wall clock.
func TestWhichTimesOccurTwice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ zone, around string }{
		{"America/Los_Angeles", "2026-11-01T09:00:00Z"}, {"America/Los_Angeles", "2026-03-08T10:00:00Z"}, {"Australia/Lord_Howe", "2026-04-04T15:00:00Z"},
		{"Europe/London", "2026-10-25T01:00:00Z"}, {"Asia/Kolkata", "2026-10-25T01:00:00Z"}, {"UTC", "2026-10-25T01:00:00Z"}, {"Africa/Casablanca", "2026-02-15T02:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		middle, err := time.Parse(time.RFC3339, c.around)
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]int{}
		for m := -6 * 60; m < 6*60; m++ {
			shown[middle.Add(time.Duration(m)*time.Minute).In(zone).Format(goDateTimeFormat)]++
		}
		for m := -4 * 60; m < 4*60; m++ {
			at := middle.Add(time.Duration(m) * time.Minute).In(zone)
			if got, want := occursTwice(at), shown[at.Format(goDateTimeFormat)] > 1; got != want {
				t.Errorf("%s: %t, want %t", at, got, want)
			}
		}
	}
}

// TestBothHalvesOfARepeatedHourArrive: a record whose time a bulk file cannot
// tell goes by a record call; where that cannot be, it is not sent and says why.
func TestBothHalvesOfARepeatedHourArrive(t *testing.T) {
	t.Parallel()
	header := []string{"External_Key", "Last_Name", "Company", "Last_Contacted"}
	rows := [][]string{
		{"a", "x", "y", "2026-11-01T01:30:00-07:00"}, {"b", "x", "y", "2026-11-01T01:30:00-08:00"}, {"c", "x", "y", "2026-11-01T03:30:00-08:00"},
	}
	want := map[string]string{"a": "2026-11-01T08:30:00Z", "b": "2026-11-01T09:30:00Z", "c": "2026-11-01T11:30:00Z"}
	for _, path := range []string{pathBulk, pathAuto, pathRecords} {
		w := newWorld(t, func(c *zohosim.Config) { c.DisableTokenThrottle = true })
		out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
		w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), header), out)
		out.want(connector.StatusSucceeded, 3)
		for r := range w.sim.Records("Leads") {
			if r["Last_Contacted"] != want[r["External_Key"]] {
				t.Errorf("by %s: %s is %s", path, r["External_Key"], r["Last_Contacted"])
			}
		}
		if n := w.sim.Count("Leads"); n != 3 {
			t.Errorf("by %s: %d leads", path, n)
		}
	}
	w := newWorld(t, nil)
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
	w.must(syncFor(connector.StrategyCreate, connector.Answers{fieldModule: {"Leads"}, fieldPath: {pathBulk}}, header), out)
	for seq, want := range map[int64]string{1: "INVALID TIME_OCCURS_TWICE", 2: "INVALID TIME_OCCURS_TWICE", 3: wrote} {
		if got := fate(out.outcomes[seq]); got != want {
			t.Errorf("a plain insert, row %d: %s, want %s", seq, got, want)
		}
	}
}
