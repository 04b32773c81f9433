package zoho

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// A journey is what a host does with one organisation: it writes records, some of
// them bad, and sends those again that may be, as often as a host would; then it
// reads all of them, some changes, and a deletion. At every step the simulator's
// books must agree: no record is lost, none is there twice, and none was written
// oftener than the host was told.

// tale is one record of a journey and what is to become of it.
type tale struct {
	label string
	key   string
	cells []string // under taleHeader
	want  string   // status, and the code where it was not written
	again int      // writes beyond the first that may have happened
}

var taleHeader = []string{"External_Key", "Last_Name", "Company", "Email", "Lead_Source", "Visit_Date", "Last_Contacted", "Languages_Known", "Email_Opt_Out", "No_of_Employees", "Description"}

const (
	wrote   = "SUCCEEDED"
	noName  = "a record without its mandatory field"
	badNum  = "a record with a value that is no number to Zoho"
	twin    = "a record whose e-mail another one has"
	newPick = "a record with a choice Zoho does not know"
	old     = "a record that was there before"
)

// tales are the records of a journey: those that are to be written, and some for
// each way of being refused.
func tales(prefix string, good int) []*tale {
	var out []*tale
	add := func(label, want string, change func(c map[string]string)) {
		n := len(out)
		key := fmt.Sprintf("%s%03d", prefix, n)
		c := map[string]string{
			"External_Key": key, "Last_Name": "Ōta, \"Ray\"\nIII 🚀", "Company": "Müller; Söhne | 株式会社", "Email": key + "@example.com", "Lead_Source": "Trade Show",
			"Visit_Date": "2024-02-29", "Last_Contacted": "2026-03-08T10:30:00Z", "Languages_Known": `["English","Tamil"]`, "Email_Opt_Out": "true",
			"No_of_Employees": fmt.Sprint(n), "Description": "=SUM(1) 00042",
		}
		change(c)
		row := make([]string, len(taleHeader))
		for i, h := range taleHeader {
			row[i] = c[h]
		}
		out = append(out, &tale{label: label, key: c["External_Key"], cells: row, want: want})
	}
	for i := range good {
		add(fmt.Sprint("record ", i), wrote, func(map[string]string) {})
	}
	add(old, wrote, func(c map[string]string) { c["External_Key"] = prefix + "old" })
	add(newPick, wrote, func(c map[string]string) { c["Lead_Source"] = "Carrier Pigeon " + prefix })
	add(noName, "REJECTED MANDATORY_NOT_FOUND", func(c map[string]string) { c["Last_Name"] = "" })
	add(badNum, "REJECTED INVALID_DATA", func(c map[string]string) { c["No_of_Employees"] = "12345678901" })
	add(twin, "REJECTED DUPLICATE_DATA", func(c map[string]string) { c["Email"] = prefix + "taken@example.com" })
	add("a record without a key", "INVALID KEY_MISSING", func(c map[string]string) { c["External_Key"] = "" })
	add("the first of two with one key", "INVALID KEY_REPEATED", func(c map[string]string) { c["External_Key"] = prefix + "same" })
	add("the second of two with one key", "INVALID KEY_REPEATED", func(c map[string]string) { c["External_Key"] = prefix + "same" })
	return out
}

// refuse changes what is to become of a record.
func refuse(all []*tale, label, want string) {
	for _, t := range all {
		if t.label == label {
			t.want = want
		}
	}
}

// journey carries a world through.
type journey struct {
	*world
	answers connector.Answers
	rounds  int                                 // how often a record is sent at most
	between func(round int)                     // after each round, for instance to let a day pass
	begin   func(*fakeOut)                      // before each round
	ends    map[int]string                      // the code a round's run may end with
	sync    func(s *connector.OutboundSync)     // changes the sync
	settled map[*tale]outcome                   // by record, at the end
	seen    map[connector.Status]map[*tale]bool // what was ever said
}

func newJourney(w *world, path string) *journey {
	w.connect() // one token for all sessions
	answers := upsertAnswers(path)
	answers[fieldBatchSize], answers[fieldConcurrency] = []string{"25"}, []string{"3"}
	return &journey{world: w, answers: answers, rounds: 6, settled: map[*tale]outcome{}, seen: map[connector.Status]map[*tale]bool{}}
}

// write sends records until each has an outcome that ends it.
func (j *journey) write(action connector.Action, all []*tale) {
	j.t.Helper()
	sync := syncFor(connector.StrategyUpsert, j.answers, taleHeader)
	if j.sync != nil {
		j.sync(&sync)
	}
	open := slices.Clone(all)
	for round := 1; round <= j.rounds && len(open) > 0; round++ {
		rows := make([][]string, len(open))
		for i, t := range open {
			rows[i] = t.cells
		}
		out := newOut(j.t, batchOf(action, taleHeader, 1, rows...))
		if j.begin != nil {
			j.begin(out)
		}
		if err := j.open().SyncOutbound(j.t.Context(), sync, out); err != nil {
			e := connector.AsError(err)
			if want, ok := j.ends[round]; !ok || e.Code != want {
				j.t.Fatalf("round %d ended with %v", round, err)
			}
		} else if want, ok := j.ends[round]; ok && want != "" {
			j.t.Fatalf("round %d did not end with %s", round, want)
		}
		open = j.note(out, open)
		if j.between != nil {
			j.between(round)
		}
	}
}

// note takes the outcomes of a round and returns the records to send again.
func (j *journey) note(out *fakeOut, open []*tale) (again []*tale) {
	j.t.Helper()
	for i, t := range open {
		o, ok := out.outcomes[int64(i+1)]
		if !ok {
			j.t.Errorf("%s has no outcome", t.label)
			continue
		}
		j.settled[t] = o
		if j.seen[o.status] == nil {
			j.seen[o.status] = map[*tale]bool{}
		}
		j.seen[o.status][t] = true
		if o.status == connector.StatusRetry || o.status == connector.StatusDelayed {
			again = append(again, t)
		}
	}
	return again
}

// fate is a record's outcome in one word or two.
func fate(o outcome) string {
	if o.err == nil {
		return string(o.status)
	}
	return string(o.status) + " " + o.err.Code
}

// check compares outcomes with what was wanted and with the simulator's books.
func (j *journey) check(all []*tale) {
	j.t.Helper()
	byKey := map[string]map[string]string{}
	for r := range j.sim.Records("Leads") {
		if byKey[r["External_Key"]] != nil {
			j.t.Errorf("the key %s is in Zoho twice", r["External_Key"])
		}
		byKey[r["External_Key"]] = r
	}
	writes := j.sim.WritesPerRecord("Leads")
	for _, t := range all {
		o := j.settled[t]
		if got := fate(o); got != t.want {
			j.t.Errorf("%s: %s, want %s (%v)", t.label, got, t.want, o.err)
		}
		r := byKey[t.key]
		if o.status != connector.StatusSucceeded {
			if r != nil && t.label != old && o.status != connector.StatusInDoubt && o.status != connector.StatusRetry && o.status != connector.StatusDelayed {
				j.t.Errorf("%s is in Zoho, though it was said to be %s", t.label, o.status)
			}
			continue
		}
		if r == nil {
			j.t.Errorf("%s is not in Zoho: lost", t.label)
			continue
		}
		if o.id != r["id"] {
			j.t.Errorf("%s: id %q, in Zoho %s", t.label, o.id, r["id"])
		}
		most := 1 + t.again
		if t.label == old {
			most++ // it was written once before the journey
		}
		if n := writes[r["id"]]; n > most {
			j.t.Errorf("%s was written %d times, at most %d are explained", t.label, n, most)
		}
		j.sameValues(t, r)
	}
}

// sameValues compares what was sent with what Zoho holds.
func (j *journey) sameValues(t *tale, r map[string]string) {
	j.t.Helper()
	for i, name := range taleHeader {
		want := t.cells[i]
		if name == "Languages_Known" {
			want = "English;Tamil"
		}
		if r[name] != want {
			j.t.Errorf("%s: %s is %q, sent %q", t.label, name, r[name], want)
		}
	}
}

// readBack reads all records and then what changed, and compares with what Zoho
// holds. A host's clock goes on between its runs.
func (j *journey) readBack() {
	j.t.Helper()
	j.sim.AdvanceClock(2 * time.Minute)
	in := newIn(j.t)
	d := j.read("Leads", connector.ReadIncremental, "", j.sim.Now(), in)
	j.holdsAll(d, in)
	if d := j.read("Campaigns", connector.ReadFullRefresh, "", j.sim.Now(), in); d.Error != nil || len(in.rows["Campaigns"]) != 0 {
		j.t.Errorf("a module without records: %v, %d rows", d.Error, len(in.rows["Campaigns"]))
	}
	ids := j.ids("Leads")
	if len(ids) < 3 {
		return
	}
	changed := batchOf(connector.ActionUpdate, []string{"id", "City"}, 1, []string{ids[0], "Bonn"})
	changed.AppIdentifiers = ids[:1]
	j.must(syncFor(connector.StrategyUpdate, connector.Answers{fieldModule: {"Leads"}, fieldUnique: {"id"}, fieldPath: {pathRecords}}, []string{"id", "City"}), newOut(j.t, changed))
	gone := batchOf(connector.ActionDelete, []string{"id"}, 1, []string{ids[1]})
	out := newOut(j.t, gone)
	j.must(syncFor(connector.StrategyDelete, connector.Answers{fieldModule: {"Leads"}}, []string{"id"}), out)
	out.want(connector.StatusSucceeded, 1)
	j.sim.AdvanceClock(10 * time.Minute)
	more := newIn(j.t)
	d = j.read("Leads", connector.ReadIncremental, d.State, j.sim.Now(), more)
	if d.Error != nil || more.rows["Leads"][ids[0]]["City"] != "Bonn" || !slices.Contains(more.tombstones["Leads"], ids[1]) {
		j.t.Errorf("the change and the deletion: %v, %v, gone %v", d.Error, more.rows["Leads"][ids[0]]["City"], more.tombstones["Leads"])
	}
	maps.Copy(in.rows["Leads"], more.rows["Leads"])
	delete(in.rows["Leads"], ids[1])
	j.holdsAll(d, in)
}

// holdsAll checks that a reader has exactly the records Zoho has, and their
// values.
func (j *journey) holdsAll(d connector.StreamDone, in *fakeIn) {
	j.t.Helper()
	if d.Error != nil {
		j.t.Fatalf("reading: %v", d.Error)
	}
	have := in.rows["Leads"]
	n := 0
	for r := range j.sim.Records("Leads") {
		n++
		got := have[r["id"]]
		if got == nil {
			j.t.Errorf("the record %s was not read", r["External_Key"])
			continue
		}
		for _, name := range []string{"External_Key", "Last_Name", "Company", "Email", "Visit_Date", "Email_Opt_Out", "No_of_Employees", "Description"} {
			if got[name] != r[name] {
				j.t.Errorf("%s of %s was read as %q, is %q", name, r["External_Key"], got[name], r[name])
			}
		}
		if at, err := time.Parse(time.RFC3339, got["Last_Contacted"]); r["Last_Contacted"] != "" && (err != nil || at.UTC().Format(time.RFC3339) != r["Last_Contacted"]) {
			j.t.Errorf("Last_Contacted of %s was read as %q, is %q", r["External_Key"], got["Last_Contacted"], r["Last_Contacted"])
		}
		if want := `["` + strings.ReplaceAll(r["Languages_Known"], ";", `","`) + `"]`; r["Languages_Known"] != "" && got["Languages_Known"] != want {
			j.t.Errorf("Languages_Known of %s was read as %s, is %s", r["External_Key"], got["Languages_Known"], want)
		}
	}
	if len(have) != n {
		j.t.Errorf("%d records were read, Zoho has %d", len(have), n)
	}
}

// seedOld puts the record in that was there before, and one that has an e-mail.
func (j *journey) seedOld(prefix string) {
	j.t.Helper()
	j.insertLead(prefix+"old", map[string]string{"Last_Name": "Older", "City": "Köln"})
	j.insertLead(prefix+"other", map[string]string{"Email": prefix + "taken@example.com"})
}

// atZoho makes a world whose hosts are Zoho's own names, served by the simulator
// under those names.
func atZoho(t *testing.T, change func(*zohosim.Config)) *world {
	t.Helper()
	w := newWorld(t, func(c *zohosim.Config) {
		c.BaseURL = "https://www.zohoapis.com"
		if change != nil {
			change(c)
		}
	})
	to, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	w.connector = New(append(quick(t), WithTransport(named{to}))...)
	delete(w.connection.Answers, fieldEndpointURL)
	return w
}

// named sends everything to one server and leaves it the name that was meant.
type named struct{ to *url.URL }

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	clone := r.Clone(r.Context())
	clone.Host, clone.URL.Scheme, clone.URL.Host = r.URL.Host, n.to.Scheme, n.to.Host
	return http.DefaultTransport.RoundTrip(clone)
}
