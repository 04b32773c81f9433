package crm

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestEndpointsOfEveryDataCenter(t *testing.T) {
	for _, dc := range DataCenters() {
		for _, env := range []Environment{Production, Sandbox, Developer} {
			e, err := EndpointsOf(dc, env)
			if err != nil {
				t.Fatal(err)
			}
			hosts := Hosts(dc, env)
			for _, base := range []string{e.Accounts, e.API, e.Upload} {
				u, err := url.Parse(base)
				if err != nil || u.Scheme != "https" || !slices.Contains(hosts, u.Host) {
					t.Errorf("%s %s: %s is not among the hosts %v", dc, env, base, hosts)
				}
			}
			for _, h := range e.Downloads {
				if !slices.Contains(hosts, h) {
					t.Errorf("%s: download host %s is not among the hosts", dc, h)
				}
			}
			if got, gotEnv, ok := DataCenterOf(e.API); !ok || got != dc || gotEnv != env {
				t.Errorf("DataCenterOf(%s) = %s %s %v", e.API, got, gotEnv, ok)
			}
			if got, _, ok := DataCenterOf(e.Accounts); !ok || got != dc {
				t.Errorf("DataCenterOf(%s) = %s %v", e.Accounts, got, ok)
			}
		}
	}
}

func TestWellKnownHosts(t *testing.T) {
	for _, c := range []struct {
		dc   DataCenter
		env  Environment
		want Endpoints
	}{
		{US, Production, Endpoints{Accounts: "https://accounts.zoho.com", API: "https://www.zohoapis.com", Upload: "https://content.zohoapis.com"}},
		{"eu", Sandbox, Endpoints{Accounts: "https://accounts.zoho.eu", API: "https://sandbox.zohoapis.eu", Upload: "https://content.zohoapis.eu"}},
		{CA, Developer, Endpoints{Accounts: "https://accounts.zohocloud.ca", API: "https://developer.zohoapis.ca", Upload: "https://upload.zohocloud.ca"}},
		{SA, "", Endpoints{Accounts: "https://accounts.zoho.sa", API: "https://www.zohoapis.sa", Upload: "https://files.zoho.sa"}},
	} {
		got, err := EndpointsOf(c.dc, c.env)
		if err != nil || got.Accounts != c.want.Accounts || got.API != c.want.API || got.Upload != c.want.Upload {
			t.Errorf("%s %s: got %+v %v", c.dc, c.env, got, err)
		}
	}
	if _, err := EndpointsOf("XX", Production); err == nil {
		t.Error("an unknown data center is accepted")
	}
	if _, err := EndpointsOf(US, "moon"); err == nil || Hosts(US, "moon") != nil {
		t.Error("an unknown environment is accepted")
	}
}

func TestDataCenterOfRefusesLookalikes(t *testing.T) {
	for _, base := range []string{
		"https://api.zoho.eu", "http://www.zohoapis.com", "https://www.zohoapis.com.evil.example", "https://accounts.zoho.com@evil.example",
		"https://accounts.zoho.com:8443", "://", "",
	} {
		if dc, _, ok := DataCenterOf(base); ok {
			t.Errorf("%q is taken for %s", base, dc)
		}
	}
	if dc, ok := DataCenterByLocation("IN"); !ok || dc != IN {
		t.Error("location in is not IN")
	}
}

func TestBudgetByEdition(t *testing.T) {
	for name, c := range map[string]struct {
		license     License
		edition     string
		credits     int64
		concurrency int
		known       bool
	}{
		"free":               {License{PaidType: "free"}, "Free", 5_000, 5, true},
		"nothing said":       {License{}, "Free", 5_000, 5, true},
		"standard":           {License{Paid: true, PaidType: "standard", Users: 10}, "Standard", 52_500, 10, true},
		"standard capped":    {License{Paid: true, PaidType: "standard", Users: 1000}, "Standard", 100_000, 10, true},
		"professional":       {License{Paid: true, PaidType: "Professional", Users: 4}, "Professional", 52_000, 15, true},
		"enterprise":         {License{Paid: true, PaidType: "enterprise", Users: 10, AddOnCredits: 1000}, "Enterprise", 61_000, 20, true},
		"zoho one":           {License{Paid: true, PaidType: "zohooneenterprise", Users: 1}, "Enterprise", 51_000, 20, true},
		"crm plus":           {License{Paid: true, PaidType: "CRM Plus", Users: 1}, "Ultimate", 52_000, 25, true},
		"crm plus starter":   {License{Paid: true, PaidType: "crmplusstarter", Users: 1}, "Standard", 50_250, 10, true},
		"ultimate uncapped":  {License{Paid: true, PaidType: "ultimate", Users: 10_000}, "Ultimate", 20_050_000, 25, true},
		"trial":              {License{PaidType: "free", TrialType: "enterprise", Users: 1}, "Enterprise", 51_000, 20, true},
		"an unknown edition": {License{Paid: true, PaidType: "galactic", Users: 2}, "Standard", 50_500, 10, false},
	} {
		b := Budget(c.license)
		if b.Edition.Name != c.edition || b.Credits != c.credits || b.Concurrency != c.concurrency || b.Known != c.known {
			t.Errorf("%s: got %+v", name, b)
		}
		if !strings.HasPrefix(b.Source, "https://www.zoho.com/crm/") || b.HeavyConcurrency > b.Concurrency {
			t.Errorf("%s: got %+v", name, b)
		}
	}
}

func TestCosts(t *testing.T) {
	for _, c := range []struct {
		op   Op
		n    int
		want int
	}{
		{OpBulkWriteCreate, 0, 500}, {OpBulkReadCreate, 0, 50}, {OpRecordsInsert, 1, 1}, {OpRecordsInsert, 10, 1},
		{OpRecordsInsert, 11, 2}, {OpRecordsUpsert, 100, 10}, {OpRecordsDelete, 100, 1}, {OpMassDelete, 101, 2}, {OpDeletedList, 0, 2},
		{OpCOQL, 200, 1}, {OpCOQL, 201, 2}, {OpCOQL, 2000, 3}, {OpRecordsCount, 0, 50}, {OpOrg, 0, 1}, {OpToken, 0, 0},
	} {
		if got := Cost(c.op, c.n); got != c.want {
			t.Errorf("%s of %d: %d credits, want %d", c.op, c.n, got, c.want)
		}
	}
}

func TestScopes(t *testing.T) {
	for name, c := range map[string]struct {
		uses    []Use
		modules []string
		want    string
	}{
		"outbound and inbound": {
			[]Use{UseOrganization, UseMetadata, UseBulkWrite, UseBulkRead}, nil,
			"ZohoCRM.bulk.ALL ZohoCRM.modules.ALL ZohoCRM.org.READ ZohoCRM.settings.fields.READ ZohoCRM.settings.modules.READ ZohoFiles.files.ALL",
		},
		"reading two modules": {
			[]Use{UseBulkRead, UseRecordsRead}, []string{"Leads", "Vehicles"},
			"ZohoCRM.bulk.READ ZohoCRM.modules.custom.READ ZohoCRM.modules.leads.READ",
		},
		"sales orders": {[]Use{UseRecordsWrite, UseRecordsDelete}, []string{"Sales_Orders"}, "ZohoCRM.modules.salesorders.DELETE ZohoCRM.modules.salesorders.WRITE"},
		"metadata":     {[]Use{UseMetadata}, []string{"Leads"}, "ZohoCRM.settings.fields.READ ZohoCRM.settings.modules.READ"},
	} {
		if got := strings.Join(ScopesFor(c.uses, c.modules...), " "); got != c.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
	for u := UseOrganization; u <= UseCount; u++ {
		if len(ScopesFor([]Use{u})) == 0 {
			t.Errorf("use %d needs no scope", u)
		}
	}
}

func TestJobStatesInEverySpelling(t *testing.T) {
	for raw, want := range map[string]JobState{
		"ADDED": JobAdded, "QUEUED": JobQueued, "INPROGRESS": JobInProgress, "IN PROGRESS": JobInProgress, "In_Progress": JobInProgress,
		"COMPLETED": JobCompleted, "FAILED": JobFailed, "FAILURE": JobFailed, "SKIPPED": JobSkipped, "ODD": JobUnknown, "": JobUnknown,
	} {
		if got := jobState(raw); got != want {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
}
