package crm_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sluiceio/sluice/zoho/crm"
	"github.com/sluiceio/sluice/zoho/zohosim"
	"golang.org/x/oauth2"
)

// zoho is a simulated organisation and a client of it.
type zoho struct {
	sim    *zohosim.Sim
	oauth  crm.OAuth
	source *crm.TokenSource
	client *crm.Client
}

// connect walks the road of a self client: grant code, token, organisation, client.
func connect(t *testing.T, config zohosim.Config, opts ...crm.Option) *zoho {
	t.Helper()
	config.Dir = t.TempDir()
	sim, err := zohosim.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	base, err := sim.Start()
	if err != nil {
		t.Fatal(err)
	}
	z := &zoho{sim: sim, oauth: crm.OAuth{ClientID: sim.ClientID(), ClientSecret: sim.ClientSecret(), AccountsURL: base}}
	token, err := z.oauth.Exchange(t.Context(), sim.NewGrantCode(""))
	if err != nil {
		t.Fatal(err)
	}
	z.source = z.oauth.TokenSource(token, nil)
	opts = append([]crm.Option{crm.WithEndpoint(base), crm.WithTokenSource(z.source), crm.WithTempDir(t.TempDir())}, opts...)
	first, err := crm.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	org, err := first.Organization(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if z.client, err = crm.New(append(opts, crm.WithOrgID(org.ZGID))...); err != nil {
		t.Fatal(err)
	}
	return z
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await polls until done says so.
func await[J any](t *testing.T, poll func() (J, error), done func(J) bool) J {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		job, err := poll()
		fatal(t, err)
		if done(job) {
			return job
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job does not end: %+v", job)
		}
	}
}

func (z *zoho) bulkWrite(t *testing.T, spec crm.BulkWriteJobSpec, header []string, rows [][]string) []crm.ReportRow {
	t.Helper()
	var err error
	spec.FileID, err = z.client.Upload(t.Context(), "leads.zip", crm.FuncBody(func(w io.Writer) error {
		zip, err := crm.NewZipWriter(w, "leads.csv", header)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := zip.WriteRow(r); err != nil {
				return err
			}
		}
		return zip.Close()
	}))
	fatal(t, err)
	for i, h := range header {
		spec.Mappings = append(spec.Mappings, crm.BulkWriteMapping{Field: h, Index: i})
	}
	id, err := z.client.CreateBulkWrite(t.Context(), spec)
	fatal(t, err)
	job := await(t, func() (crm.BulkWriteJob, error) { return z.client.BulkWrite(t.Context(), id) }, func(j crm.BulkWriteJob) bool { return j.State.Ended() })
	fatal(t, job.Err())
	report, err := z.client.OpenBulkWriteReport(t.Context(), job)
	fatal(t, err)
	var out []crm.ReportRow
	counts := map[crm.RowStatus]int64{}
	for row, err := range report.Rows() {
		fatal(t, err)
		row.Echo = slices.Clone(row.Echo)
		counts[row.Status]++
		out = append(out, row)
	}
	fatal(t, report.Close())
	r := job.Resources[0]
	if r.Total != int64(len(rows)) || r.Added != counts[crm.RowAdded] || r.Updated != counts[crm.RowUpdated] || r.Skipped != r.Total-r.Added-r.Updated {
		t.Errorf("the job counts %+v, the report %v", r, counts)
	}
	return out
}

func TestBulkWriteRoundTrip(t *testing.T) {
	for name, variant := range map[string]func(*zohosim.Config){
		"as configured by default": func(*zohosim.Config) {},
		"polled":                   func(c *zohosim.Config) { c.JobPolls = 3 },
		"lower case, spaced, relative": func(c *zohosim.Config) {
			c.JobPolls = 3
			c.Variants = zohosim.Variants{StatusCase: "lower", SpacedInProgress: true, RelativeDownloadURL: true, SkippedRecordID: true, OmitTokenScope: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := zohosim.Config{}
			variant(&config)
			z := connect(t, config)
			header := []string{"Email", "Last_Name", "Company"}
			spec := crm.BulkWriteJobSpec{Operation: crm.BulkUpsert, Module: "Leads", FindBy: "Email"}
			first := z.bulkWrite(t, spec, header, [][]string{
				{"a@example.com", "Ray", "Acme"}, {"b@example.com", `Lee "B", Jr`, "Beta, Inc"}, {"c@example.com", "", "Gamma"}, {"not-an-email", "Kim", "Delta"},
			})
			if len(first) != 4 || first[0].Status != crm.RowAdded || first[1].Status != crm.RowAdded || first[2].Status.OK() || first[3].Status.OK() {
				t.Fatalf("got %+v", first)
			}
			if first[0].RecordID == "" || first[1].Echo[1] != `Lee "B", Jr` || len(first[2].Errors) == 0 || first[2].Errors[0].Code != "MANDATORY_NOT_FOUND" {
				t.Errorf("got %+v", first)
			}
			second := z.bulkWrite(t, spec, header, [][]string{{"b@example.com", "Lee", "Beta"}, {"d@example.com", "New", "Delta"}})
			if second[0].Status != crm.RowUpdated || second[0].RecordID != first[1].RecordID || second[1].Status != crm.RowAdded {
				t.Errorf("got %+v", second)
			}
			if n := z.sim.Count("Leads"); n != 3 {
				t.Errorf("%d leads", n)
			}
		})
	}
}

func TestBulkReadOfSeveralPages(t *testing.T) {
	for name, variants := range map[string]zohosim.Variants{"by token": {}, "by number": {NoPageToken: true, IDColumn: "id"}} {
		t.Run(name, func(t *testing.T) { readSeveralPages(t, variants) })
	}
}

func readSeveralPages(t *testing.T, variants zohosim.Variants) {
	z := connect(t, zohosim.Config{PageRows: 400, Variants: variants})
	fatal(t, z.sim.Generate("Leads", 1000, 7))
	where := crm.Compare("Last_Name", crm.NotEqual, crm.Empty)
	spec := crm.BulkReadJobSpec{Module: "Leads", Fields: []string{"Last_Name", "Company", "Email", "Modified_Time"}, Criteria: &where}
	seen := map[string]bool{}
	for pages := 1; ; pages++ {
		id, err := z.client.CreateBulkRead(t.Context(), spec)
		fatal(t, err)
		job := await(t, func() (crm.BulkReadJob, error) { return z.client.BulkRead(t.Context(), id) }, func(j crm.BulkReadJob) bool { return j.State.Ended() })
		if job.Failure != nil {
			t.Fatal(job.Failure)
		}
		rows, err := z.client.OpenBulkRead(t.Context(), job)
		fatal(t, err)
		if rows.IDColumn() < 0 || !slices.Contains(rows.Header(), "Modified_Time") {
			t.Fatalf("header %v", rows.Header())
		}
		for row, err := range rows.All() {
			fatal(t, err)
			seen[strings.Clone(row[rows.IDColumn()])] = true
		}
		if rows.Count() != job.Count {
			t.Errorf("%d rows where the job counts %d", rows.Count(), job.Count)
		}
		fatal(t, rows.Close())
		if !job.More {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		spec.PageToken = job.Next
		if job.Next == "" {
			spec.Page = job.Page + 1
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d of 1000 records were read", len(seen))
	}
}

func TestRecordsRoundTrip(t *testing.T) {
	z := connect(t, zohosim.Config{})
	var rows []jsontext.Value
	for i := range 100 {
		rows = append(rows, jsontext.Value(fmt.Sprintf(`{"Last_Name":"L%d","Company":"C","Email":"u%d@example.com"}`, i, i)))
	}
	rows[7] = jsontext.Value(`{"Company":"C"}`)
	results, err := z.client.Insert(t.Context(), "Leads", rows, crm.WriteOptions{Trigger: []string{}})
	fatal(t, err)
	var ids []string
	for i, r := range results {
		if r.OK == (i == 7) {
			t.Errorf("record %d: %+v", i, r)
		}
		if r.OK {
			ids = append(ids, r.ID)
		}
	}
	if results[7].Code != "MANDATORY_NOT_FOUND" || results[7].Field != "Last_Name" {
		t.Errorf("got %+v", results[7])
	}
	up, err := z.client.Upsert(t.Context(), "Leads", []jsontext.Value{
		jsontext.Value(`{"Last_Name":"Changed","Company":"C","Email":"u1@example.com"}`), jsontext.Value(`{"Last_Name":"New","Company":"C","Email":"new@example.com"}`),
	}, crm.WriteOptions{DuplicateCheck: []string{"Email"}})
	fatal(t, err)
	if up[0].Action != "update" || up[0].ID != ids[1] || up[1].Action != "insert" {
		t.Errorf("got %+v", up)
	}
	changed, err := z.client.Update(t.Context(), "Leads", []jsontext.Value{jsontext.Value(`{"id":"` + ids[2] + `","Company":"D"}`), jsontext.Value(`{"id":"1","Company":"D"}`)}, crm.WriteOptions{})
	fatal(t, err)
	if !changed[0].OK || changed[1].OK {
		t.Errorf("got %+v", changed)
	}
	got, ok, err := z.client.Get(t.Context(), "Leads", ids[2], "Company")
	if err != nil || !ok || !strings.Contains(string(got.JSON), `"D"`) {
		t.Errorf("got %s %v %v", got.JSON, ok, err)
	}
	listed := 0
	for _, err := range z.client.List(t.Context(), "Leads", crm.ListOptions{Fields: []string{"Last_Name"}, PerPage: 30}) {
		fatal(t, err)
		listed++
	}
	if listed != 100 {
		t.Errorf("%d records are listed", listed)
	}
	gone, err := z.client.Delete(t.Context(), "Leads", ids[:3], crm.DeleteOptions{NoTrigger: true})
	fatal(t, err)
	many, err := z.client.MassDelete(t.Context(), "Leads", ids[3:20])
	fatal(t, err)
	if len(gone) != 3 || !gone[0].OK || len(many) != 17 || !many[16].OK {
		t.Errorf("got %+v and %+v", gone, many)
	}
	deleted := 0
	for d, err := range z.client.Deleted(t.Context(), "Leads", crm.DeletedAll, time.Time{}) {
		fatal(t, err)
		if d.ID == "" || d.DeletedTime.IsZero() {
			t.Errorf("got %+v", d)
		}
		deleted++
	}
	if deleted != 20 {
		t.Errorf("%d deleted records", deleted)
	}
	page, err := z.client.COQL(t.Context(), "select Last_Name from Leads where Email = 'new@example.com' limit 10")
	if err != nil || len(page.Records) != 1 || page.More {
		t.Errorf("got %+v, %v", page, err)
	}
}

func TestMetadataOfTheSimulator(t *testing.T) {
	z := connect(t, zohosim.Config{Users: 10})
	modules, err := z.client.Modules(t.Context())
	fatal(t, err)
	leads := modules[slices.IndexFunc(modules, func(m crm.Module) bool { return m.APIName == "Leads" })]
	if !leads.BulkReadable() || !leads.BulkWritable() {
		t.Errorf("got %+v", leads)
	}
	fields, err := z.client.Fields(t.Context(), "Leads")
	fatal(t, err)
	layouts, err := z.client.Layouts(t.Context(), "Leads")
	fatal(t, err)
	find := func(name string) crm.Field {
		return fields[slices.IndexFunc(fields, func(f crm.Field) bool { return f.APIName == name })]
	}
	if !find("Last_Name").SystemMandatory || find("Created_Time").Creatable || find("Email").DataType != "email" {
		t.Errorf("got %+v", fields)
	}
	if len(layouts) == 0 || !slices.Contains(layouts[0].Required, "Company") {
		t.Errorf("got %+v", layouts)
	}
	user, err := z.client.CurrentUser(t.Context())
	if err != nil || user.TimeZone != "America/Los_Angeles" {
		t.Errorf("got %+v, %v", user, err)
	}
	org, err := z.client.Organization(t.Context())
	fatal(t, err)
	if b := crm.Budget(org.License); b.Credits != int64(z.sim.Credits().Limit) {
		t.Errorf("a budget of %d where the simulator has %d", b.Credits, z.sim.Credits().Limit)
	}
}

func TestBudgetsAgreeWithTheSimulator(t *testing.T) {
	for _, edition := range []string{"free", "standard", "professional", "enterprise", "ultimate", "starter", "zohoone", "crmplus"} {
		z := connect(t, zohosim.Config{Edition: edition, Users: 12})
		org, err := z.client.Organization(t.Context())
		fatal(t, err)
		if b := crm.Budget(org.License); b.Credits != int64(z.sim.Credits().Limit) || !b.Known {
			t.Errorf("%s (%s): a budget of %d where the simulator has %d", edition, org.License.PaidType, b.Credits, z.sim.Credits().Limit)
		}
	}
}

func TestCostsAgreeWithTheSimulator(t *testing.T) {
	z := connect(t, zohosim.Config{})
	spent := func(call func()) int {
		before := z.sim.Credits().SpentEver
		call()
		return z.sim.Credits().SpentEver - before
	}
	rows := make([]jsontext.Value, 25)
	for i := range rows {
		rows[i] = jsontext.Value(fmt.Sprintf(`{"Last_Name":"L%d","Company":"C"}`, i))
	}
	for op, call := range map[crm.Op]func(){
		crm.OpRecordsInsert: func() {
			_, err := z.client.Insert(t.Context(), "Leads", rows, crm.WriteOptions{})
			fatal(t, err)
		},
		crm.OpBulkReadCreate: func() {
			_, err := z.client.CreateBulkRead(t.Context(), crm.BulkReadJobSpec{Module: "Leads"})
			fatal(t, err)
		},
		crm.OpModules: func() { _, err := z.client.Modules(t.Context()); fatal(t, err) },
		crm.OpDeletedList: func() {
			for _, err := range z.client.Deleted(t.Context(), "Leads", "", time.Time{}) {
				fatal(t, err)
			}
		},
	} {
		if got, want := spent(call), crm.Cost(op, 25); got != want {
			t.Errorf("%s: %d credits were spent, %d expected", op, got, want)
		}
	}
}

func TestTokensExpireInTheMiddle(t *testing.T) {
	z := connect(t, zohosim.Config{})
	z.sim.ExpireTokens()
	if _, err := z.client.Modules(t.Context()); err != nil {
		t.Fatal(err)
	}
	mints := z.sim.Counters().TokenMints
	if mints != 2 {
		t.Errorf("%d tokens were minted", mints)
	}
	token, err := z.source.Current(t.Context())
	fatal(t, err)
	fatal(t, z.oauth.Revoke(t.Context(), token.RefreshToken))
	_, err = z.client.Modules(t.Context())
	if crm.ErrorCode(err) != "INVALID_CODE" && crm.ErrorCode(err) != "INVALID_TOKEN" {
		t.Errorf("after revocation: %v", err)
	}
}

func TestFaultsOfTheSimulator(t *testing.T) {
	z := connect(t, zohosim.Config{})
	fatal(t, z.sim.Generate("Leads", 50, 1))
	id, err := z.client.CreateBulkRead(t.Context(), crm.BulkReadJobSpec{Module: "Leads"})
	fatal(t, err)
	job := await(t, func() (crm.BulkReadJob, error) { return z.client.BulkRead(t.Context(), id) }, func(j crm.BulkReadJob) bool { return j.State.Ended() })
	open := func() error {
		rows, err := z.client.OpenBulkRead(t.Context(), job)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for _, err := range rows.All() {
			if err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range []struct {
		action zohosim.Action
		code   string
		class  crm.Class
	}{
		{zohosim.Action{Kind: zohosim.ActionTornFile}, crm.CodeTransport, crm.ClassTransient},
		{zohosim.Action{Kind: zohosim.ActionCorruptFile}, crm.CodeBadArchive, crm.ClassTransient},
		{zohosim.Action{Kind: zohosim.ActionStatus, Status: 502}, "HTTP_ERROR", crm.ClassTransient},
		{zohosim.Action{Kind: zohosim.ActionStatus, Status: 429, RetryAfter: "3"}, "TOO_MANY_REQUESTS", crm.ClassRateLimited},
		{zohosim.Action{Kind: zohosim.ActionDropBefore}, crm.CodeTransport, crm.ClassTransient},
	} {
		z.sim.ClearFaults()
		fatal(t, z.sim.Fault(zohosim.Fault{Match: zohosim.Match{PathPattern: "/result"}, Action: c.action}))
		err := open()
		e, ok := err.(*crm.Error)
		if !ok || e.Code != c.code || e.Class() != c.class {
			t.Errorf("%s gives %v", c.action.Kind, err)
		}
	}
	z.sim.ClearFaults()
	if err := open(); err != nil {
		t.Errorf("without faults: %v", err)
	}
	for _, status := range []int{400, 404} {
		fatal(t, z.sim.Configure(func(c *zohosim.Config) { c.Variants.UnknownJobStatus = status }))
		if _, err := z.client.BulkWrite(t.Context(), "1"); !crm.IsNotFound(err) {
			t.Errorf("an unknown job with %d gives %v", status, err)
		}
	}
}

func TestEmptyModulesReadAsNothing(t *testing.T) {
	for name, variants := range map[string]zohosim.Variants{"header only": {}, "empty file": {EmptyResultFile: true}} {
		t.Run(name, func(t *testing.T) {
			z := connect(t, zohosim.Config{Variants: variants})
			id, err := z.client.CreateBulkRead(t.Context(), crm.BulkReadJobSpec{Module: "Leads", Fields: []string{"Last_Name"}})
			fatal(t, err)
			job := await(t, func() (crm.BulkReadJob, error) { return z.client.BulkRead(t.Context(), id) }, func(j crm.BulkReadJob) bool { return j.State.Ended() })
			rows, err := z.client.OpenBulkRead(t.Context(), job)
			fatal(t, err)
			for row, err := range rows.All() {
				t.Errorf("got %v, %v", row, err)
			}
			fatal(t, rows.Close())
			for r, err := range z.client.List(t.Context(), "Leads", crm.ListOptions{Fields: []string{"Last_Name"}}) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
}

func TestOAuthErrorsOfTheSimulator(t *testing.T) {
	for _, status := range []int{200, 400} {
		z := connect(t, zohosim.Config{Variants: zohosim.Variants{TokenErrorStatus: status}})
		for code, call := range map[string]func(crm.OAuth) error{
			"INVALID_CODE":   func(o crm.OAuth) error { _, err := o.Exchange(t.Context(), "1000.none.none"); return err },
			"INVALID_CLIENT": func(o crm.OAuth) error { o.ClientID = "1000.NOBODY"; _, err := o.Refresh(t.Context(), "r"); return err },
			"INVALID_CLIENT_SECRET": func(o crm.OAuth) error {
				o.ClientSecret = "wrong"
				_, err := o.Refresh(t.Context(), z.sim.RefreshToken())
				return err
			},
		} {
			if err := call(z.oauth); crm.ErrorCode(err) != code {
				t.Errorf("with status %d: got %v, want %s", status, err, code)
			}
		}
		var err error
		for range 11 {
			_, err = z.oauth.Refresh(t.Context(), z.sim.RefreshToken())
		}
		if e, ok := errors.AsType[*crm.Error](err); !ok || e.Code != "ACCESS_DENIED" || e.Class() != crm.ClassRateLimited || e.Wait() < time.Minute {
			t.Errorf("the eleventh token gives %v", err)
		}
	}
}

func TestScopesSufficeAndAreNeeded(t *testing.T) {
	z := connect(t, zohosim.Config{})
	as := func(uses ...crm.Use) *crm.Client {
		token := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: z.sim.NewAccessToken(strings.Join(crm.ScopesFor(uses), ","))})
		c, err := crm.New(crm.WithEndpoint(z.oauth.AccountsURL), crm.WithTokenSource(token), crm.WithOrgID(z.sim.OrgID()))
		fatal(t, err)
		return c
	}
	calls := map[crm.Use]func(c *crm.Client) error{
		crm.UseOrganization: func(c *crm.Client) error { _, err := c.Organization(t.Context()); return err },
		crm.UseMetadata:     func(c *crm.Client) error { _, err := c.Fields(t.Context(), "Leads"); return err },
		crm.UseLayouts:      func(c *crm.Client) error { _, err := c.Layouts(t.Context(), "Leads"); return err },
		crm.UseUsers:        func(c *crm.Client) error { _, err := c.CurrentUser(t.Context()); return err },
		crm.UseBulkRead: func(c *crm.Client) error {
			_, err := c.CreateBulkRead(t.Context(), crm.BulkReadJobSpec{Module: "Leads"})
			return err
		},
		crm.UseBulkWrite: func(c *crm.Client) error {
			_, err := c.Upload(t.Context(), "a.zip", crm.FuncBody(func(w io.Writer) error {
				z, err := crm.NewZipWriter(w, "a.csv", []string{"Last_Name"})
				if err != nil {
					return err
				}
				return z.Close()
			}))
			return err
		},
		crm.UseCOQL: func(c *crm.Client) error {
			_, err := c.COQL(t.Context(), "select id from Leads where id is not null")
			return err
		},
		crm.UseRecordsRead: func(c *crm.Client) error {
			_, err := c.ListPage(t.Context(), "Leads", crm.ListOptions{Fields: []string{"id"}})
			return err
		},
	}
	for use, call := range calls {
		if err := call(as(use)); err != nil {
			t.Errorf("use %d with its scopes: %v", use, err)
		}
		other := crm.UseOrganization
		if use == other {
			other = crm.UseUsers
		}
		if err := call(as(other)); crm.ErrorCode(err) != "OAUTH_SCOPE_MISMATCH" {
			t.Errorf("use %d without its scopes: %v", use, err)
		}
	}
}
