package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// creation is a plain Create: every row is new, and has a name of its own.
type creation struct {
	path string
	step int // rows that each change adds
	rows []string
}

func newCreation(path string) *creation { return &creation{path: path, step: 150} }

func (c *creation) mayDoubt() bool { return true }

// hostPoints are passed by every run, outboundPoints by every outbound one.
var (
	hostPoints     = []string{"store.StartRun", "store.SaveRun", "store.Grant", "store.Spend", "store.Release", "warehouse.Close"}
	outboundPoints = append([]string{
		"store.PutTicket PREPARED", "store.PutTicket PREPARED", "store.PutTicket DONE", "warehouse.Plan", "warehouse.Settle", "warehouse.Settle", "warehouse.Finish",
	}, hostPoints...)
	bulkPoints = append([]string{
		"store.PutTicket SUBMITTED", "store.PutTicket SUBMITTED", "app.upload", "app.write.create", "app.write.create", "app.write.poll", "app.write.result",
	}, outboundPoints...)
)

func (c *creation) points() []string {
	if c.path == "bulk" {
		return bulkPoints
	}
	return append([]string{"app.insert", "app.insert", "app.insert"}, outboundPoints...)
}

func (c *creation) arguments() []string {
	return []string{"--source-file", "source.csv", "--identifier", "id", "--strategy", "Create", "--set", "module=Accounts",
		"--set", "path=" + c.path, "--set", "batch_size=30", "--set", "concurrency=2", "--map", "Account_Name=name"}
}

func (c *creation) change(t *testing.T, s *siege) {
	for range c.step {
		n := len(c.rows) + 1
		c.rows = append(c.rows, fmt.Sprintf("%d,Company %d", n, n))
	}
	s.source(t, c.rows)
}

func (c *creation) judge(t *testing.T, s *siege) verdict {
	doubt := s.inDoubt(t)
	v := verdict{records: len(c.rows), doubt: len(doubt)}
	held := map[string]int{}
	for r := range s.sim.Records("Accounts") {
		held[r["Account_Name"]]++
	}
	for _, row := range c.rows {
		id, name, _ := strings.Cut(row, ",")
		switch n := held[name]; {
		case n == 0 && !doubt[id]:
			v.lost++
		case n > 1:
			v.doubled++
		}
	}
	for _, writes := range s.sim.WritesPerRecord("Accounts") {
		if writes > 1 {
			v.doubled++
		}
	}
	return v
}

// keyed is an Upsert or a Mirror by a unique field: rows come, change and, in a
// Mirror, go.
type keyed struct {
	strategy string
	path     string
	made     int
	changes  int
	values   map[string]string
	versions map[string]int
}

func newKeyed(strategy, path string) *keyed {
	return &keyed{strategy: strategy, path: path, values: map[string]string{}, versions: map[string]int{}}
}

func (k *keyed) mayDoubt() bool { return false }

func (k *keyed) points() []string {
	if k.strategy == "Mirror" {
		return append([]string{"app.delete", "app.delete"}, bulkPoints...)
	}
	return bulkPoints
}

func (k *keyed) arguments() []string {
	return []string{"--source-file", "source.csv", "--identifier", "id", "--strategy", k.strategy, "--set", "module=Accounts", "--set", "unique_field=External_Key",
		"--set", "path=" + k.path, "--set", "batch_size=30", "--set", "concurrency=2", "--map", "External_Key=id", "--map", "Account_Name=name"}
}

func (k *keyed) change(t *testing.T, s *siege) {
	for i, key := range slices.Sorted(maps.Keys(k.values)) {
		switch {
		case k.strategy == "Mirror" && i%11 == k.changes%11:
			delete(k.values, key)
		case i%5 == k.changes%5:
			k.set(key)
		}
	}
	more := 60
	if len(k.values) > 400 { // enough to go on with
		more = 5
	}
	for range more {
		k.made++
		k.set(fmt.Sprint("K", k.made))
	}
	k.changes++
	var rows []string
	for key, value := range k.values {
		rows = append(rows, key+","+value)
	}
	s.source(t, rows)
}

func (k *keyed) set(key string) {
	k.versions[key]++
	k.values[key] = fmt.Sprintf("Company %s version %d", key, k.versions[key])
}

func (k *keyed) judge(t *testing.T, s *siege) verdict {
	v := verdict{records: len(k.values), doubt: len(s.inDoubt(t))}
	held := map[string][]string{}
	writes := s.sim.WritesPerRecord("Accounts")
	for r := range s.sim.Records("Accounts") {
		key := r["External_Key"]
		held[key] = append(held[key], r["Account_Name"])
		v.rewritten += max(0, writes[r["id"]]-k.versions[key])
	}
	for key, value := range k.values {
		if !slices.Contains(held[key], value) {
			v.lost++
		}
	}
	for key, values := range held {
		v.doubled += len(values) - 1
		if k.values[key] == "" {
			v.lost++ // its removal was
		}
	}
	return v
}

// reading is an inbound sync of a module in which records come, change and go.
type reading struct {
	path    string
	ids     []string
	made    int
	changes int
}

func (r *reading) mayDoubt() bool { return false }

func (r *reading) points() []string {
	points := append([]string{"warehouse.Commit", "warehouse.Commit", "warehouse.Commit", "app.deleted", "app.token"}, hostPoints...)
	if r.path == "bulk" {
		return append(points, "app.read.create", "app.read.poll", "app.read.result")
	}
	return append(points, "app.query", "app.query")
}

func (r *reading) arguments() []string {
	return []string{"--stream", "Accounts", "--table", "Accounts=crm.accounts", "--set", "path=" + r.path}
}

func (r *reading) change(t *testing.T, s *siege) {
	t.Helper()
	r.changes++
	for range min(5, len(r.ids)) {
		i := s.random.IntN(len(r.ids))
		s.sim.Delete("Accounts", r.ids[i])
		r.ids = slices.Delete(r.ids, i, i+1)
	}
	r.update(t, s)
	for range 40 {
		r.made++
		id, err := s.sim.Insert("Accounts", map[string]string{"Account_Name": fmt.Sprint("Company ", r.made)})
		if err != nil {
			t.Fatal(err)
		}
		r.ids = append(r.ids, id)
	}
}

// update changes some records as another user of the app would.
func (r *reading) update(t *testing.T, s *siege) {
	t.Helper()
	var records []map[string]string
	for i, id := range r.ids {
		if i%7 == r.changes%7 && len(records) < 100 {
			records = append(records, map[string]string{"id": id, "Account_Name": fmt.Sprintf("Company of change %d-%d", r.changes, i)})
		}
	}
	if len(records) == 0 {
		return
	}
	body, err := json.Marshal(map[string]any{"data": records})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.base+"/crm/v8/Accounts", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Zoho-oauthtoken "+s.sim.NewAccessToken("ZohoCRM.modules.ALL"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("changing records: %s %s", response.Status, answer)
	}
}

func (r *reading) judge(t *testing.T, s *siege) verdict {
	t.Helper()
	v := verdict{records: s.sim.Count("Accounts")}
	rows := map[string][]string{}
	for _, line := range s.query(t, `SELECT _sluice_app_identifier, Account_Name FROM crm.accounts WHERE NOT coalesce(_sluice_deleted, false)`) {
		id, name, _ := strings.Cut(line, ",")
		rows[id] = append(rows[id], name)
	}
	for record := range s.sim.Records("Accounts") {
		id := record["id"]
		if !slices.Contains(rows[id], record["Account_Name"]) {
			v.lost++
		}
		v.doubled += max(0, len(rows[id])-1)
		delete(rows, id)
	}
	v.lost += len(rows) // their removal was
	return v
}
