package crm_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

func TestConsentInTheBrowser(t *testing.T) {
	z := connect(t, zohosim.Config{AutoConsent: true})
	o := z.oauth
	o.RedirectURL, o.Scopes = "http://127.0.0.1:7777/callback", crm.ScopesFor([]crm.Use{crm.UseOrganization, crm.UseMetadata})
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(o.AuthCodeURL("opaque"))
	fatal(t, err)
	_ = resp.Body.Close()
	location, err := resp.Location()
	if err != nil {
		t.Fatalf("HTTP %d: %v", resp.StatusCode, err)
	}
	back, err := crm.ParseRedirect(location.Query(), o.AccountsURL)
	if err != nil || back.State != "opaque" || back.Code == "" {
		t.Fatalf("got %+v, %v", back, err)
	}
	if back.AccountsServer != "" {
		o.AccountsURL = back.AccountsServer
	}
	token, err := o.Exchange(t.Context(), back.Code)
	if err != nil || token.RefreshToken == "" || token.APIDomain != z.oauth.AccountsURL {
		t.Fatalf("refresh token %v, api domain %q, %v", token.RefreshToken != "", token.APIDomain, err)
	}
	if _, err := o.Exchange(t.Context(), back.Code); crm.ErrorCode(err) != "INVALID_CODE" {
		t.Errorf("a code used twice gives %v", err)
	}
	client, err := crm.New(crm.WithEndpoint(z.oauth.AccountsURL), crm.WithTokenSource(o.TokenSource(token, nil)))
	fatal(t, err)
	if _, err := client.Organization(t.Context()); err != nil {
		t.Error(err)
	}
	servers, err := crm.ServerInfo(t.Context(), nil, z.oauth.AccountsURL)
	if err != nil || len(servers) == 0 {
		t.Errorf("got %v, %v", servers, err)
	}
}

func TestClientCredentials(t *testing.T) {
	z := connect(t, zohosim.Config{})
	o := z.oauth
	o.Scopes = []string{"ZohoCRM.org.READ"}
	token, err := o.ClientCredentials(t.Context(), z.sim.OrgID())
	if err != nil || token.AccessToken == "" {
		t.Errorf("got %v", err)
	}
}

func TestAFullBulkWriteFile(t *testing.T) {
	z := connect(t, zohosim.Config{})
	rows := make([][]string, crm.BulkWriteMaxRows)
	for i := range rows {
		rows[i] = []string{fmt.Sprintf("u%d@example.com", i), fmt.Sprintf("Łęç \"%d\"", i), "Acme, Inc"}
	}
	report := z.bulkWrite(t, crm.BulkWriteJobSpec{Operation: crm.BulkInsert, Module: "Leads"}, []string{"Email", "Last_Name", "Company"}, rows)
	if len(report) != len(rows) || z.sim.Count("Leads") != len(rows) {
		t.Fatalf("%d rows are reported, %d leads exist", len(report), z.sim.Count("Leads"))
	}
	for i, r := range report {
		if r.Status != crm.RowAdded || r.Echo[0] != rows[i][0] || r.RecordID == "" {
			t.Fatalf("row %d: %+v", i, r)
		}
	}
}

func TestMappingErrorsComeEarlyOrLate(t *testing.T) {
	for _, late := range []bool{false, true} {
		z := connect(t, zohosim.Config{Variants: zohosim.Variants{MandatoryAsFailedJob: late}})
		file, err := z.client.Upload(t.Context(), "a.zip", crm.BytesBody(zipOfLeads(t)))
		fatal(t, err)
		id, err := z.client.CreateBulkWrite(t.Context(), crm.BulkWriteJobSpec{
			Operation: crm.BulkInsert, Module: "Leads", FileID: file, Mappings: []crm.BulkWriteMapping{{Field: "Email", Index: 0}},
		})
		if late {
			fatal(t, err)
			job := await(t, func() (crm.BulkWriteJob, error) { return z.client.BulkWrite(t.Context(), id) }, func(j crm.BulkWriteJob) bool { return j.State.Ended() })
			err = job.Err()
		}
		if crm.ErrorCode(err) != "MANDATORY_FIELDS_NOT_MAPPED" {
			t.Errorf("late %v: got %v", late, err)
		}
	}
}

func zipOfLeads(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := crm.NewZipWriter(&b, "a.csv", []string{"Email"})
	fatal(t, err)
	fatal(t, z.WriteRow([]string{"a@example.com"}))
	fatal(t, z.Close())
	return b.Bytes()
}
