package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// measured is one run.
type measured struct {
	road    string
	records int64
	usage
}

// The roads measured.
const (
	outbound = "outbound upsert"
	inbound  = "inbound full refresh"
)

// fields maps the ten columns of the source to fields of Zoho's Accounts.
var fields = []struct{ column, field, expression string }{
	{"id", "External_Key", "'C' || lpad(i::VARCHAR, 9, '0')"},
	{"name", "Account_Name", "'Company ' || i || ' & Söhne, ' || ['Berlin', 'Łódź', '東京', 'Chennai'][i % 4 + 1]"},
	{"website", "Website", "'https://company' || i || '.example.org/'"},
	{"phone", "Phone", "'+49 30 ' || lpad((i * 7919 % 10000000)::VARCHAR, 7, '0')"},
	{"city", "Billing_City", "'City ' || i % 5000"},
	{"country", "Billing_Country", "'Country ' || i % 200"},
	{"street", "Billing_Street", "'Street ' || i * 31 % 90000 || ' No. ' || i % 300"},
	{"employees", "Employees", "(i % 50000)::INTEGER"},
	{"revenue", "Annual_Revenue", "(i * 7919 % 100000000 / 100)::DECIMAL(16, 2)"},
	{"note", "Description", "CASE WHEN i % 3 > 0 THEN 'Said \"hello\", wants an offer for ' || i END"},
}

// bench is the state folder in which one number of records is moved.
type bench struct {
	options
	ctx context.Context
	dir string
	n   int64
}

// benchmark moves n records out and in, beginning with nothing.
func benchmark(ctx context.Context, o options, n int64) (runs []measured, err error) {
	dir, err := os.MkdirTemp(o.dir, "sluice-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sim, err := startSimulator(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer sim.stop()
	b := &bench{options: o, ctx: ctx, dir: dir, n: n}
	if err := b.prepare(sim); err != nil {
		return nil, err
	}
	for _, road := range []string{outbound, inbound} {
		fmt.Fprintf(os.Stderr, "%s, %d records ...\n", road, n)
		m, err := b.move(road)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", road, err)
		}
		runs = append(runs, m)
	}
	return runs, b.same()
}

// prepare makes the connection, the source and the two syncs.
func (b *bench) prepare(sim *simulator) error {
	var columns []string
	create := []string{"syncs", "create", "out", "--connection", "crm", "--source-table", "companies", "--identifier", "id",
		"--strategy", "Upsert", "--set", "module=Accounts", "--set", "unique_field=External_Key"}
	for _, f := range fields {
		columns = append(columns, f.expression+" AS "+f.column)
		create = append(create, "--map", f.field+"="+f.column)
	}
	steps := [][]string{
		{"connectors", "add", filepath.Join(b.bin, connectorName)},
		{"connections", "create", "crm", "--connector", "zoho-crm", "--method", "self_client", "--answer", "data_center=US",
			"--answer", "client_id=" + sim.ClientID, "--answer", "endpoint_url=" + sim.BaseURL,
			"--secret", "client_secret=" + sim.ClientSecret, "--secret", "grant_code=" + sim.GrantCode},
		{"connections", "limits", "crm", "--set", "credits=" + credits},
		{"query", fmt.Sprintf("CREATE TABLE companies AS SELECT %s FROM range(1, %d) t(i)", strings.Join(columns, ", "), b.n+1)},
		create,
		{"syncs", "create", "in", "--connection", "crm", "--stream", "Accounts:full_refresh:merge", "--table", "Accounts=crm.accounts"},
	}
	for _, step := range steps {
		if out, err := b.sluice(step...).CombinedOutput(); err != nil {
			return fmt.Errorf("sluice %s: %w\n%s", strings.Join(step[:2], " "), err, out)
		}
	}
	return nil
}

// sluice is a command of the program under test, with its default settings.
func (b *bench) sluice(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, filepath.Join(b.bin, "sluice"), args...)
	cmd.Dir = b.dir
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "SLUICE_") {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// report is what is looked at in the JSON of a run.
type report struct {
	Records  int64            `json:"records"`
	Outcomes map[string]int64 `json:"outcomes"`
	Streams  []struct {
		Rows int64 `json:"rows"`
	} `json:"streams"`
	Usage []struct {
		Category string `json:"category"`
		Requests int64  `json:"requests"`
	} `json:"usage"`
}

// move makes one run and checks that all records took the bulk path.
func (b *bench) move(road string) (measured, error) {
	sync, category := "out", "bulk_write_create"
	if road == inbound {
		sync, category = "in", "bulk_read_create"
	}
	out, u, err := measure(b.ctx, b.sluice("syncs", "run", sync, "--json"))
	if err != nil {
		return measured{}, err
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		return measured{}, fmt.Errorf("read what sluice says of the run: %w", err)
	}
	moved := r.Outcomes["SUCCEEDED"]
	if road == inbound && len(r.Streams) == 1 {
		moved = r.Streams[0].Rows
	}
	if moved != b.n {
		return measured{}, fmt.Errorf("%d of %d records were moved", moved, b.n)
	}
	for _, use := range r.Usage {
		if use.Category == category && use.Requests > 0 {
			return measured{road: road, records: b.n, usage: u}, nil
		}
	}
	return measured{}, fmt.Errorf("no bulk job was made (%s)", category)
}

// same checks that what came back is what was sent.
func (b *bench) same() error {
	var equal []string
	for _, f := range fields {
		equal = append(equal, fmt.Sprintf("a.%s IS NOT DISTINCT FROM c.%s", f.field, f.column))
	}
	out, err := b.sluice("query", "--json", "SELECT count(*) AS n FROM companies c JOIN crm.accounts a ON "+strings.Join(equal, " AND ")).Output()
	if err != nil {
		return fmt.Errorf("compare what came back: %w", err)
	}
	var row struct {
		N json.Number `json:"n"`
	}
	if err := json.Unmarshal(out, &row); err != nil {
		return fmt.Errorf("compare what came back: %w", err)
	}
	if row.N.String() != fmt.Sprint(b.n) {
		return fmt.Errorf("%s of %d records came back as they were sent", row.N, b.n)
	}
	return nil
}
