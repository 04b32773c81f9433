package zoho

import (
	"context"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

const (
	poolCredits  = "credits"
	groupHeavy   = "heavy calls"
	groupLight   = "light calls"
	creditWindow = 24 * time.Hour
)

// categories says which requests belong to which kind of call, in the order
// in which they are tried. A path is matched whole, under any API version.
var categories = []struct {
	name, label string
	op          crm.Op
	methods     []string
	path        string
	heavy       bool
	rates       []connector.Rate
	source      string
}{
	{
		// 10 access tokens per refresh token in 10 minutes; one is left for other programs
		// (https://www.zoho.com/accounts/protocol/oauth/token-limits.html).
		name: "token", label: "Access tokens", op: crm.OpToken, methods: []string{"POST"}, path: `/+oauth/v2/.*`,
		rates: []connector.Rate{{Count: 9, Per: 10 * time.Minute}}, source: "https://www.zoho.com/accounts/protocol/oauth/token-limits.html",
	},
	{name: "upload", label: "File Upload", op: crm.OpUpload, methods: []string{"POST"}, path: `/crm/v[0-9.]+/upload`, source: crm.PageBulkWriteLimits},
	{name: "bulk_write_create", label: "Bulk Write Initialize", op: crm.OpBulkWriteCreate, methods: []string{"POST"}, path: `/crm/bulk/v[0-9.]+/write`, source: crm.PageAPILimits},
	{name: "bulk_write_result", label: "Bulk Write Result", op: crm.OpBulkWriteResult, methods: []string{"GET"}, path: `/.*/bulk-write/.*`, source: crm.PageAPILimits},
	{name: "bulk_read_create", label: "Bulk Read Initialize", op: crm.OpBulkReadCreate, methods: []string{"POST"}, path: `/crm/bulk/v[0-9.]+/read`, source: crm.PageAPILimits},
	{
		name: "bulk_read_result", label: "Bulk Read Download", op: crm.OpBulkReadResult, methods: []string{"GET"}, path: `/crm/bulk/v[0-9.]+/read/[^/]+/result`,
		rates: []connector.Rate{{Count: crm.BulkReadsPerMinute, Per: time.Minute}}, source: crm.PageBulkReadLimits,
	},
	{name: "deleted_list", label: "Deleted Records List", op: crm.OpDeletedList, methods: []string{"GET"}, path: `/crm/v[0-9.]+/[^/]+/deleted`, source: crm.PageAPILimits},
	{name: "mass_delete", label: "Mass Delete", op: crm.OpMassDelete, methods: []string{"POST"}, path: `/crm/v[0-9.]+/[^/]+/actions/mass_delete`, source: crm.PageAPILimits},
	{name: "coql", label: "COQL Query", op: crm.OpCOQL, methods: []string{"POST"}, path: `/crm/v[0-9.]+/coql`, heavy: true, source: crm.PageAPILimits},
	{name: "records_write", label: "Records Insert, Update and Upsert", op: crm.OpRecordsUpsert, methods: []string{"POST", "PUT"}, path: `/crm/v[0-9.]+/[^/]+(/upsert)?`, heavy: true, source: crm.PageAPILimits},
	{name: "other", label: "All other calls", op: crm.OpFields, path: "", source: crm.PageAPILimits},
}

// limitsFor turns a budget into limits. All categories but the token's share
// the organisation's concurrency; the heavy calls have the smaller of the two
// bounds as a group of their own.
func limitsFor(b crm.CreditBudget) connector.Limits {
	out := connector.Limits{Pools: []connector.Pool{{
		Name: poolCredits, Label: "credits", Capacity: b.Credits, Window: creditWindow, SourceURL: crm.PageAPILimits,
	}}}
	for _, c := range categories {
		l := connector.Limit{
			Category: c.name, Label: c.label, Rates: c.rates, SourceURL: c.source,
			Matchers: []connector.Matcher{{Methods: c.methods, PathPattern: c.path}},
		}
		switch {
		case c.name == "token":
			l.MaxConcurrency = 1
		case c.heavy:
			l.MaxConcurrency, l.Shared = heavyShare(b), groupHeavy
		default:
			// The heavy calls count against the same total, so the others get what they leave.
			l.MaxConcurrency, l.Shared = max(1, b.Concurrency-heavyShare(b)), groupLight
		}
		l.Cost = costOf(c.op)
		out.Limits = append(out.Limits, l)
	}
	return out
}

// heavyShare is the number of slots kept for heavy calls: Zoho's bound of 10
// in every edition (https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html),
// but no more than half of what the edition allows in all.
func heavyShare(b crm.CreditBudget) int {
	return max(1, min(b.HeavyConcurrency, b.Concurrency/2))
}

// queryItems are the records a credit buys in a query. Larger queries are
// cheaper, in steps: [callContext] counts as many records as make up the charge.
const queryItems = 200

func costOf(op crm.Op) *connector.Cost {
	units := int64(crm.Cost(op, 1))
	if units == 0 {
		return nil
	}
	cost := &connector.Cost{Pool: poolCredits, Units: units}
	if op == crm.OpCOQL {
		cost.Items = queryItems
	}
	for _, c := range crm.Charges() {
		if c.Op == op {
			cost.Items = int64(c.Per)
		}
	}
	return cost
}

// defaultLimits are those known without asking: from what Connect learnt, or,
// before that, the edition with the least that has bulk calls.
func (s settings) defaultLimits() connector.Limits {
	license := crm.License{PaidType: s.edition, Paid: true, Users: s.users, AddOnCredits: s.addOn}
	if s.edition == "" {
		license.PaidType = "standard"
	}
	return limitsFor(crm.Budget(license))
}

func (s *session) Limits(ctx context.Context) (connector.Limits, error) {
	org, err := s.client.Organization(ctx)
	if err != nil {
		return connector.Limits{}, translate(err, "reading the organisation's edition")
	}
	org.License.AddOnCredits = s.settings.addOn
	return limitsFor(crm.Budget(org.License)), nil
}

// editionName is the name Connect keeps so that limits need no question later.
func editionName(l crm.License) string { return crm.Budget(l).Edition.Name }
