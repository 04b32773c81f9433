package zohosim

import (
	"maps"
	"slices"
	"strings"
)

// edition holds what an edition of Zoho CRM allows, after docs/v8/api-limits.html.
type edition struct {
	base, perUser, cap int // credits in a rolling 24 hours; cap 0 is no cap
	concurrency        int // simultaneous calls per organisation and client
	paidType           string
}

// heavyConcurrency is the sub-concurrency shared by the heavy calls, the same in every edition.
const heavyConcurrency = 10

var editions = map[string]edition{
	"free":         {5_000, 0, 5_000, 5, "free"},
	"starter":      {50_000, 250, 100_000, 10, "starter"},
	"standard":     {50_000, 250, 100_000, 10, "standard"},
	"professional": {50_000, 500, 3_000_000, 15, "professional"},
	"enterprise":   {50_000, 1_000, 5_000_000, 20, "enterprise"},
	"zohoone":      {50_000, 1_000, 5_000_000, 20, "zohooneenterprise"},
	"ultimate":     {50_000, 2_000, 0, 25, "ultimate"},
	"crmplus":      {50_000, 2_000, 0, 25, "crmplus"},
}

func editionNames() string { return strings.Join(slices.Sorted(maps.Keys(editions)), ", ") }

// credits is the organisation's allowance without and with add-ons.
func (c *Config) credits() (own, total int) {
	e := editions[c.Edition]
	own = e.base + e.perUser*c.Users
	total = own + c.AddOnCredits
	if e.cap > 0 {
		own, total = min(own, e.cap), min(total, e.cap)
	}
	return own, total
}
