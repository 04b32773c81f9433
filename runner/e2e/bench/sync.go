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
	"time"
)

// measured is one run.
type measured struct {
	road    string
	records int64
	usage
	// stages are the seconds of each stage as the run reports them.
	stages map[string]float64
}

// The roads measured, in this order.
const (
	outbound = "whole sync out: upsert, all new"
	nothing  = "whole run with nothing changed"
	inbound  = "whole sync in: full refresh, merged"
)

var roads = []string{outbound, nothing, inbound}

// bench is the state folder in which one number of records is moved.
type bench struct {
	options
	ctx context.Context
	dir string
	n   int64
}

// syncs moves n records out, moves nothing out, and moves all in, beginning with
// nothing; and lets the app do its part alone.
func syncs(ctx context.Context, o options, n int64) (runs []measured, err error) {
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
	for _, road := range roads {
		fmt.Fprintf(os.Stderr, "  %s, %d records ...\n", road, n)
		if road == inbound {
			b.nextSecond()
		}
		m, err := b.move(road)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", road, err)
		}
		runs = append(runs, m)
	}
	return runs, b.same()
}

// nextSecond waits until the records written are of a second that has ended: an
// inbound read ends where the second it starts in begins.
func (b *bench) nextSecond() {
	timer := time.NewTimer(1100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
	}
}

// prepare makes the connection, the source and the two syncs.
func (b *bench) prepare(sim *simulator) error {
	create := []string{"syncs", "create", "out", "--connection", "crm", "--source-table", "companies", "--identifier", "id",
		"--strategy", "Upsert", "--set", "module=Accounts", "--set", "unique_field=External_Key"}
	var names []string
	for _, f := range fields {
		create = append(create, "--map", f.field+"="+f.column)
		names = append(names, f.field)
	}
	steps := [][]string{
		{"connectors", "add", filepath.Join(b.bin, connectorName)},
		{"connections", "create", "crm", "--connector", "zoho-crm", "--method", "self_client", "--answer", "data_center=US",
			"--answer", "client_id=" + sim.ClientID, "--answer", "endpoint_url=" + sim.BaseURL,
			"--secret", "client_secret=" + sim.ClientSecret, "--secret", "grant_code=" + sim.GrantCode},
		{"connections", "limits", "crm", "--set", "credits=" + credits},
		{"query", sourceSQL("companies", b.n)},
		create,
		{"syncs", "create", "in", "--connection", "crm", "--stream", "Accounts:full_refresh:merge", "--table", "Accounts=crm.accounts",
			"--fields", "Accounts=" + strings.Join(names, ",")}, // the stages beside it have these, too
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
	Records  int64              `json:"records"`
	Timings  map[string]float64 `json:"timings_seconds"`
	Outcomes map[string]int64   `json:"outcomes"`
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
	sync, category, want := "out", "bulk_write_create", b.n
	switch road {
	case nothing:
		category, want = "", 0
	case inbound:
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
	if moved != want {
		return measured{}, fmt.Errorf("%d of %d records were moved", moved, want)
	}
	m := measured{road: road, records: b.n, usage: u, stages: r.Timings}
	if category == "" {
		return m, nil
	}
	for _, use := range r.Usage {
		if use.Category == category && use.Requests > 0 {
			return m, nil
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
