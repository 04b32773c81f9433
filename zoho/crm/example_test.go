package crm_test

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// Rows are written into a zip that goes straight into the upload, then a job inserts them.
func Example() {
	if err := insertLeads(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ray@example.com added
	// kim@example.com skipped [MANDATORY_NOT_FOUND-Last_Name]
}

func insertLeads(ctx context.Context) error {
	sim, err := zohosim.New(zohosim.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = sim.Close() }()
	base, err := sim.Start()
	if err != nil {
		return err
	}
	oauth := crm.OAuth{ClientID: sim.ClientID(), ClientSecret: sim.ClientSecret(), AccountsURL: base}
	source := oauth.TokenSource(crm.Token{RefreshToken: sim.RefreshToken()}, nil)
	client, err := crm.New(crm.WithEndpoint(base), crm.WithTokenSource(source), crm.WithOrgID(sim.OrgID()))
	if err != nil {
		return err
	}

	file, err := client.Upload(ctx, "leads.zip", crm.FuncBody(func(w io.Writer) error {
		z, err := crm.NewZipWriter(w, "leads.csv", []string{"Email", "Last_Name", "Company"})
		if err != nil {
			return err
		}
		for _, row := range [][]string{{"ray@example.com", "Ray", "Acme"}, {"kim@example.com", "", "Beta"}} {
			if err := z.WriteRow(row); err != nil {
				return err
			}
		}
		return z.Close()
	}))
	if err != nil {
		return err
	}
	id, err := client.CreateBulkWrite(ctx, crm.BulkWriteJobSpec{
		Operation: crm.BulkInsert, Module: "Leads", FileID: file,
		Mappings: []crm.BulkWriteMapping{{Field: "Email", Index: 0}, {Field: "Last_Name", Index: 1}, {Field: "Company", Index: 2}},
	})
	if err != nil {
		return err
	}
	var job crm.BulkWriteJob
	for !job.State.Ended() { // against Zoho, wait crm.PollDelay between questions
		if job, err = client.BulkWrite(ctx, id); err != nil {
			return err
		}
	}
	report, err := client.OpenBulkWriteReport(ctx, job)
	if err != nil {
		return err
	}
	defer func() { _ = report.Close() }()
	for row, err := range report.Rows() {
		if err != nil {
			return err
		}
		line := fmt.Sprint(row.Echo[0], " ", row.Status)
		if len(row.Errors) > 0 {
			line += fmt.Sprint(" ", row.Errors)
		}
		fmt.Println(line)
	}
	return nil
}

// Lookup says what a code means and whether waiting helps.
func ExampleLookup() {
	info, _ := crm.Lookup("TOO_MANY_REQUESTS")
	fmt.Println(info.Class, info.Retriable)
	// Output: rate_limited true
}

// Hosts is the allow-list of a connection.
func ExampleHosts() {
	fmt.Println(strings.Join(crm.Hosts(crm.SA, crm.Sandbox), "\n"))
	// Output:
	// accounts.zoho.sa
	// content.zohoapis.sa
	// download-accl.zoho.sa
	// download.zoho.sa
	// files.zoho.sa
	// sandbox.zohoapis.sa
	// upload-accl.zoho.sa
	// upload.zoho.sa
}
