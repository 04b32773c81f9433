package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluiceio/sluice/zoho/crm"
)

// jobsAtOnce is how many bulk jobs are under way at once, as in a sync.
const jobsAtOnce = 5

// measureApp lets the simulated app do its part of both roads alone: it is given
// zips made before, and its reports and results are downloaded and thrown away.
func measureApp(ctx context.Context, o options, n int64) (out, in cost, err error) {
	dir, err := os.MkdirTemp(o.dir, "sluice-bench-")
	if err != nil {
		return cost{}, cost{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sim, err := startSimulator(ctx, o, dir)
	if err != nil {
		return cost{}, cost{}, err
	}
	defer sim.stop()
	oauth := crm.OAuth{ClientID: sim.ClientID, ClientSecret: sim.ClientSecret, AccountsURL: sim.BaseURL, HTTPClient: http.DefaultClient}
	settings := []crm.Option{crm.WithEndpoint(sim.BaseURL), crm.WithTokenSource(oauth.TokenSource(crm.Token{RefreshToken: sim.RefreshToken}, nil)), crm.WithTempDir(dir)}
	client, err := crm.New(settings...)
	if err != nil {
		return cost{}, cost{}, err
	}
	organization, err := client.Organization(ctx)
	if err != nil {
		return cost{}, cost{}, err
	}
	if client, err = crm.New(append(settings, crm.WithOrgID(organization.ZGID))...); err != nil {
		return cost{}, cost{}, err
	}
	a := app{client: client, n: n}
	var zips [][]byte
	for first := int64(1); first <= n; first += crm.BulkWriteMaxRows {
		z, err := zipped(int(first), int(min(crm.BulkWriteMaxRows, n-first+1)))
		if err != nil {
			return cost{}, cost{}, err
		}
		zips = append(zips, z)
	}
	before := processCPU(sim.cmd.Process.Pid)
	if out, err = timed(func() error { return a.write(ctx, zips) }); err != nil {
		return cost{}, cost{}, err
	}
	middle := processCPU(sim.cmd.Process.Pid)
	in, err = timed(func() error { return a.read(ctx) })
	out.CPU, in.CPU = middle-before, processCPU(sim.cmd.Process.Pid)-middle // the app's alone
	return out, in, err
}

// zipped is a file of records as the connector uploads it.
func zipped(first, rows int) ([]byte, error) {
	var header []string
	for _, f := range fields {
		header = append(header, f.field)
	}
	var buf bytes.Buffer
	z, err := crm.NewZipWriter(&buf, "x.csv", header)
	if err != nil {
		return nil, err
	}
	row := make([]string, len(fields))
	for i := first; i < first+rows; i++ {
		for c, f := range fields {
			row[c] = f.text(i)
		}
		if err := z.WriteRow(row); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return buf.Bytes(), err
}

type app struct {
	client *crm.Client
	n      int64
}

func (a app) write(ctx context.Context, zips [][]byte) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobsAtOnce)
	for _, z := range zips {
		g.Go(func() error {
			file, err := a.client.Upload(ctx, "x.zip", crm.BytesBody(z))
			if err != nil {
				return err
			}
			spec := crm.BulkWriteJobSpec{Operation: crm.BulkUpsert, Module: "Accounts", FileID: file, FileName: "x.csv", FindBy: "External_Key"}
			for i, f := range fields {
				spec.Mappings = append(spec.Mappings, crm.BulkWriteMapping{Field: f.field, Index: i})
			}
			id, err := a.client.CreateBulkWrite(ctx, spec)
			if err != nil {
				return err
			}
			var job crm.BulkWriteJob
			err = poll(ctx, func() (bool, error) {
				job, err = a.client.BulkWrite(ctx, id)
				return job.State.Ended(), err
			})
			if err != nil || job.State != crm.JobCompleted {
				return errors.Join(err, job.Err())
			}
			report, err := a.client.OpenBulkWriteReport(ctx, job)
			if err != nil {
				return err
			}
			return report.Close()
		})
	}
	return g.Wait()
}

func (a app) read(ctx context.Context) error {
	var rows int64
	spec := crm.BulkReadJobSpec{Module: "Accounts"}
	for {
		id, err := a.client.CreateBulkRead(ctx, spec)
		if err != nil {
			return err
		}
		var job crm.BulkReadJob
		err = poll(ctx, func() (bool, error) {
			job, err = a.client.BulkRead(ctx, id)
			return job.State.Ended(), err
		})
		if err != nil {
			return err
		}
		result, err := a.client.OpenBulkRead(ctx, job)
		if err != nil {
			return err
		}
		if err := result.Close(); err != nil {
			return err
		}
		rows += job.Count
		if !job.More {
			break
		}
		spec = crm.BulkReadJobSpec{PageToken: job.Next}
	}
	if rows != a.n {
		return fmt.Errorf("the app gave %d of %d records", rows, a.n)
	}
	return nil
}

// poll asks until something is done, without pause: the app answers at once.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if over, err := done(); over || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
