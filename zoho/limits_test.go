package zoho

import (
	"regexp"
	"slices"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

func categoryOf(l connector.Limits, method, path string) string {
	for _, limit := range l.Limits {
		for _, m := range limit.Matchers {
			if len(m.Methods) > 0 && !slices.Contains(m.Methods, method) {
				continue
			}
			if m.PathPattern == "" || regexp.MustCompile(`^(?:`+m.PathPattern+`)$`).MatchString(path) {
				return limit.Category
			}
		}
	}
	return ""
}

func TestEveryCallHasItsCategory(t *testing.T) {
	t.Parallel()
	l := limitsFor(crm.Budget(crm.License{PaidType: "enterprise", Paid: true, Users: 10}))
	for _, c := range []struct{ method, path, want string }{
		{"POST", "/oauth/v2/token", "token"}, {"POST", "/crm/v8/upload", "upload"}, {"POST", "/crm/bulk/v8/write", "bulk_write_create"},
		{"GET", "/crm/bulk/v8/write/57", "other"}, {"GET", "/v2/crm/org80/bulk-write/57/57.zip", "bulk_write_result"}, {"POST", "/crm/bulk/v8/read", "bulk_read_create"},
		{"GET", "/crm/bulk/v8/read/57", "other"}, {"GET", "/crm/bulk/v8/read/57/result", "bulk_read_result"}, {"GET", "/crm/v8/Leads/deleted", "deleted_list"},
		{"POST", "/crm/v8/Leads", "records_write"}, {"PUT", "/crm/v8/Leads", "records_write"}, {"POST", "/crm/v8/Leads/upsert", "records_write"},
		{"DELETE", "/crm/v8/Leads", "other"}, {"POST", "/crm/v8/coql", "coql"}, {"GET", "/crm/v8/org", "other"}, {"POST", "/crm/v8/Leads/actions/mass_delete", "mass_delete"},
	} {
		if got := categoryOf(l, c.method, c.path); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.method, c.path, got, c.want)
		}
	}
}

func TestLimitsFollowTheEdition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		license                    crm.License
		credits                    int64
		calls, heavy, jobsPerDay64 int64
	}{
		{crm.License{}, 5_000, 3, 2, 10},
		{crm.License{PaidType: "enterprise", Paid: true, Users: 10}, 60_000, 10, 10, 120},
		{crm.License{PaidType: "standard", Paid: true, Users: 10, AddOnCredits: 1000}, 53_500, 5, 5, 107},
		{crm.License{PaidType: "ultimate", Paid: true, Users: 100}, 250_000, 15, 10, 500},
	} {
		l := limitsFor(crm.Budget(c.license))
		if l.Pools[0].Capacity != c.credits {
			t.Errorf("%+v: %d credits, want %d", c.license, l.Pools[0].Capacity, c.credits)
		}
		for _, limit := range l.Limits {
			switch limit.Category {
			case "bulk_write_create":
				if limit.Cost.Units != 500 || l.Pools[0].Capacity/limit.Cost.Units != c.jobsPerDay64 || limit.MaxConcurrency != int(c.calls) {
					t.Errorf("%+v: %+v", c.license, limit)
				}
			case "records_write":
				if limit.Cost.For(100) != 10 || limit.Cost.For(1) != 1 || limit.MaxConcurrency != int(c.heavy) || limit.Shared != groupHeavy {
					t.Errorf("%+v: %+v", c.license, limit)
				}
			case "bulk_read_create":
				if limit.Cost.Units != 50 {
					t.Errorf("%+v", limit)
				}
			case "token":
				if limit.Cost != nil {
					t.Errorf("tokens cost no credits: %+v", limit)
				}
			}
		}
	}
}
