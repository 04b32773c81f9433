package zoho

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// pain is a data type with values chosen to hurt, and how two texts of it are
// compared.
type pain struct {
	name   string // of the field, or field.found_by
	field  zohosim.Field
	values []string
	same   func(got, sent string) bool
}

func sameText(got, sent string) bool { return got == sent }

func sameInstant(got, sent string) bool {
	a, errA := time.Parse(time.RFC3339, got)
	b, errB := time.Parse(time.RFC3339, sent)
	return errA == nil && errB == nil && a.Equal(b)
}

func sameNumber(got, sent string) bool {
	a, okA := new(big.Rat).SetString(got)
	b, okB := new(big.Rat).SetString(sent)
	return okA && okB && a.Cmp(b) == 0
}

// texts hurt CSV writers, spreadsheets and decoders.
var texts = []string{
	"plain", "007", "=SUM(1,2)", "+1", "-1", "@cmd", "null", "NULL", `\N`, "true", "1e5", "0x10", `"`, `""`, `a"b`, "a,b", "a;b|c:d", " lead", "trail ", "\ttab\t", "a\nb", "a\r\nb", "\r", "\n",
	"🚀👩‍👩‍👧", "e\u0301", "\u202eevil", "\ufeffmark", "ไทย العربية 日本語 Ünï", "'; DROP TABLE", "<b>&amp;</b>", "%s%n", "\\", "a\u2028b", "5700000000000100001", "2024-02-29", strings.Repeat("x", 255),
}

func pains(lookup, user []string) []pain {
	of := func(dataType string) zohosim.Field {
		return zohosim.Field{APIName: "F_" + dataType, DataType: dataType}
	}
	with := func(f zohosim.Field, change func(*zohosim.Field)) zohosim.Field {
		change(&f)
		return f
	}
	long := []string{strings.Repeat("0123456789", 3200), strings.Repeat("ж🚀", 16000), strings.Repeat("a\r\n\"", 8000)}
	choices := []string{"One", "Two, too", `Th"ree`, "Fünf 🖐", "007", "=SUM(", "A (b) / c"}
	at := func(f zohosim.Field, values []string, same func(string, string) bool) pain {
		return pain{f.APIName, f, values, same}
	}
	byID := with(of("lookup"), func(f *zohosim.Field) { f.Lookup = "Accounts" })
	return []pain{
		at(of("text"), texts, sameText),
		at(with(of("textarea"), func(f *zohosim.Field) { f.Length = 2000 }), append(texts[:len(texts):len(texts)], strings.Repeat("é", 2000)), sameText),
		at(with(of("textarea"), func(f *zohosim.Field) { f.APIName, f.Length = "F_large", 32000 }), long, sameText),
		at(of("email"), []string{"a@example.com", "first.last+tag@sub.example.co.uk", "o'neill@example.com"}, sameText),
		at(of("phone"), []string{"+49 (0)30-1234", "0044", "007", "=1"}, sameText),
		at(of("website"), []string{"https://example.com/a?b=1&c=%20", "http://example.com", "www.example.com"}, sameText),
		at(with(of("picklist"), func(f *zohosim.Field) { f.Picklist = choices }), choices, sameText),
		at(with(of("multiselectpicklist"), func(f *zohosim.Field) { f.Picklist = choices }), []string{
			`["One"]`, `["Two, too","One"]`, `["Th\"ree","Fünf 🖐"]`, `["007","=SUM(","A (b) / c"]`,
		}, sameText),
		at(of("boolean"), []string{"true", "false"}, sameText),
		at(of("integer"), []string{"0", "-1", "999999999", "-999999999"}, sameText),
		at(of("bigint"), []string{"0", "9007199254740993", "999999999999999999", "-999999999999999999"}, sameText),
		at(of("double"), []string{"0", "0.1", "-0.000000001", "9999999999999999.999999999", "123456789.10"}, sameNumber),
		at(of("currency"), []string{"0.01", "1234567890123456.123456789", "-5"}, sameNumber),
		at(of("percent"), []string{"0", "33.33", "100"}, sameNumber),
		at(of("date"), []string{"2024-02-29", "2000-02-29", "1970-01-01", "1899-12-31", "9999-12-31"}, sameText),
		at(of("datetime"), []string{
			"2024-02-29T23:59:59+05:45", "2024-02-29T00:00:00-12:00", "2025-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2026-03-08T02:30:00-07:00", "2026-03-08T10:00:00Z",
			"2026-07-01T12:00:00+14:00", "2038-01-19T03:14:08Z", "2026-11-01T07:59:59Z", "2026-11-01T10:00:00Z",
			"2026-11-01T01:30:00-07:00", "2026-11-01T01:30:00-08:00", "2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", // both halves of a repeated hour
		}, sameInstant),
		at(byID, lookup, sameText),
		at(of("ownerlookup"), user, sameText),
		at(of("userlookup"), user, sameText),
	}
}

// TestEveryTypeGoesOutAndComesBack writes every value by both paths, reads it by
// both ways, and wants it back.
func TestEveryTypeGoesOutAndComesBack(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		for _, zone := range []string{"America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe"} {
			t.Run(path+" in "+strings.ReplaceAll(zone, "/", " "), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(c *zohosim.Config) { c.TimeZone = zone; c.DisableDownloadLimit = true })
				w.connect()
				roundTrip(t, w, path)
			})
		}
	}
}

func roundTrip(t *testing.T, w *world, path string) {
	t.Helper()
	account, err := w.sim.Insert("Accounts", map[string]string{"Account_Name": "Acme", "External_Key": "k,1"})
	if err != nil || len(account) != 19 {
		t.Fatalf("an id of 19 digits: %q, %v", account, err)
	}
	users := w.users()
	all := pains([]string{account}, users)
	module := zohosim.Module{APIName: "Pains", Generated: "custom", Singular: "Pain", Plural: "Pains", Fields: []zohosim.Field{
		{APIName: "Name", DataType: "text", SystemMandatory: true}, {APIName: "Key", DataType: "text", Unique: true, CaseSensitive: true},
	}}
	header := []string{"Key", "Name"}
	for _, p := range all {
		module.Fields = append(module.Fields, p.field)
		header = append(header, p.name)
	}
	if err := w.sim.AddModule(module); err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	want := map[string]pain{}
	sent := map[string]string{}
	for column, p := range all {
		for i, value := range p.values {
			key := fmt.Sprintf("%s %d", p.name, i)
			row := make([]string, len(header))
			row[0], row[1], row[column+2] = key, "n", value
			rows = append(rows, row)
			want[key], sent[key] = p, value
		}
	}
	answers := connector.Answers{fieldModule: {"Pains"}, fieldUnique: {"Key"}, fieldPath: {path}}
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, rows...))
	w.must(syncFor(connector.StrategyUpsert, answers, header), out)
	out.want(connector.StatusSucceeded, len(rows))
	for _, way := range []string{pathBulk, pathRecords} {
		in := newIn(t)
		if d := w.readBy(way, "Pains", connector.ReadFullRefresh, "", in, header...); d.Error != nil || len(in.rows["Pains"]) != len(rows) {
			t.Fatalf("by %s: %v, %d rows of %d", way, d.Error, len(in.rows["Pains"]), len(rows))
		}
		for _, got := range in.rows["Pains"] {
			p, value := want[got["Key"]], sent[got["Key"]]
			if !p.same(got[p.name], value) {
				t.Errorf("by %s: %s came back as %.80q, sent was %.80q", way, p.name, got[p.name], value)
			}
			for name, text := range got {
				if name != p.name && name != "Key" && name != "Name" && name != "id" && text != "" && text != "false" {
					t.Errorf("by %s: %s of a record that has none is %.80q", way, name, text)
				}
			}
		}
	}
}

func (w *world) users() []string {
	w.t.Helper()
	var out []string
	for u, err := range w.open().client.Users(w.t.Context(), "AllUsers") {
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, u.ID)
	}
	return out[:2]
}

// TestReferencesAreFoundByWhatIsUnique writes an owner by e-mail and a lookup by a
// unique field; ids come back.
func TestReferencesAreFoundByWhatIsUnique(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *zohosim.Config) { c.DisableDownloadLimit = true })
			w.connect()
			users := w.users()
			header := []string{"Last_Name", "Company", "External_Key", "Owner.email"}
			out := newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"Ray", "Acme", "k", "user2@example.com"}, []string{"Kim", "Beta", "l", "nobody@example.com"}))
			w.must(syncFor(connector.StrategyUpsert, upsertAnswers(path), header), out)
			if got := fate(out.outcomes[1]); got != wrote {
				t.Errorf("an owner by e-mail: %s %v", got, out.outcomes[1].err)
			}
			if o := out.outcomes[2]; o.status == connector.StatusSucceeded || o.err == nil {
				t.Errorf("an owner nobody knows: %s", fate(o))
			}
			in := newIn(t)
			if d := w.readBy(path, "Leads", connector.ReadFullRefresh, "", in); d.Error != nil || len(in.rows["Leads"]) != 1 {
				t.Fatalf("%v, %d rows", d.Error, len(in.rows["Leads"]))
			}
			for _, r := range in.rows["Leads"] {
				if r["Owner"] != users[1] {
					t.Errorf("the owner is %s, want %s", r["Owner"], users[1])
				}
			}
		})
	}
}

// TestNullAndEmptyMeanTheSameToZoho: both clear a field, or both leave it, as the
// sync says, and both come back as null.
func TestNullAndEmptyMeanTheSameToZoho(t *testing.T) {
	t.Parallel()
	for _, path := range []string{pathBulk, pathRecords} {
		for _, keep := range []string{"false", "true"} {
			t.Run(path+", keep "+keep, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, func(c *zohosim.Config) { c.DisableDownloadLimit = true })
				w.connect()
				old := map[string]string{"City": "Bonn", "No_of_Employees": "7", "Visit_Date": "2026-01-31", "Email_Opt_Out": "true", "Languages_Known": "Tamil"}
				w.insertLead("null", old)
				w.insertLead("empty", old)
				header := []string{"External_Key", "Last_Name", "Company", "City", "No_of_Employees", "Visit_Date", "Languages_Known"}
				b := batchOf(connector.ActionUpdate, header, 1, []string{"null", "Ray", "Acme", "", "", "", ""}, []string{"empty", "Ray", "Acme", "", "", "", ""})
				for i := range b.Columns { // the second row's are empty, not null
					b.Columns[i].Nulls = nil
					if i > 2 {
						b.Columns[i].Nulls = []uint32{0}
					}
				}
				answers := upsertAnswers(path)
				answers[fieldIgnoreEmpty] = []string{keep}
				out := newOut(t, b)
				w.must(syncFor(connector.StrategyUpsert, answers, header), out)
				out.want(connector.StatusSucceeded, 2)
				in := newIn(t)
				if d := w.readBy(path, "Leads", connector.ReadFullRefresh, "", in, header...); d.Error != nil {
					t.Fatal(d.Error)
				}
				for _, r := range in.rows["Leads"] {
					for _, name := range header[3:] {
						if _, there := r[name]; there != (keep == "true") {
							t.Errorf("%s of the %s row is %q", name, r["External_Key"], r[name])
						}
					}
				}
			})
		}
	}
}
