package zoho

import (
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// FuzzReportJoin gives rows to reports that were made up: every row gets one
// outcome, none succeeds that no written row of the report speaks for, and none
// gets an id that belongs to others.
func FuzzReportJoin(f *testing.F) {
	f.Add("a,1|b,2", "a,1,ADDED,1|b,2,skipped,", true)
	f.Add("a|b|a", "b,UPDATED,2|a,ADDED,1|a,ADDED,3", false)
	f.Add("a,1|b,2", "a,1,ADDED,1", true)
	f.Add("x", "x,ADDED,1|y,ADDED,2", true)
	f.Add("a\r\nb| c", "a\nb,ADDED,1|c,ADDED,2", false)
	f.Add("|", ",,ADDED,1", true)
	f.Fuzz(func(t *testing.T, sent, report string, keyed bool) {
		var echoes [][]string
		for row := range strings.SplitSeq(sent, "|") {
			echoes = append(echoes, strings.Split(row, ",")[:min(echoed, strings.Count(row, ",")+1)])
		}
		if len(echoes) > 200 || len(report) > 1<<14 {
			return
		}
		width := len(echoes[0])
		for _, e := range echoes {
			if len(e) != width {
				return // a file's rows are as wide as its header
			}
		}
		var verdicts []verdict
		written := map[string]string{} // echo by id
		for row := range strings.SplitSeq(report, "|") {
			cells := strings.Split(row, ",")
			if len(cells) < 2 {
				continue
			}
			v := verdict{raw: cells[len(cells)-2], id: cells[len(cells)-1], echo: cells[:len(cells)-2], status: crm.RowSkipped}
			switch strings.ToUpper(v.raw) {
			case "ADDED":
				v.status = crm.RowAdded
			case "UPDATED":
				v.status = crm.RowUpdated
			case "UNPROCESSED":
				v.status = crm.RowUnprocessed
			}
			if v.status.OK() {
				written[v.id] = echoKey(v.echo, len(v.echo))
			}
			verdicts = append(verdicts, v)
		}
		p := &plan{strategy: strategyUpsert}
		if keyed {
			p.key = "K"
		}
		for seq, o := range settled(t, p, echoes, verdicts) {
			if o.status != connector.StatusSucceeded {
				if o.err == nil {
					t.Errorf("row %d failed without a reason", seq)
				}
				continue
			}
			if len(written) == 0 {
				t.Errorf("row %d succeeded, the report has no written row", seq)
			}
			if _, known := written[o.id]; o.id != "" && !known {
				t.Errorf("row %d has the id %q of no written row", seq, o.id)
			}
		}
	})
}
