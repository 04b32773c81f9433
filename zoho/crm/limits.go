package crm

import "strings"

// Links to the pages the limits come from.
const (
	PageAPILimits       = "https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html"
	PageBulkReadLimits  = "https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/limitations.html"
	PageBulkWriteLimits = "https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/limitations.html"
)

// Limits of the record calls, each from the page of its call beside [PageAPILimits].
const (
	MaxRecordsPerWrite = 100     // insert, update, upsert, delete by ids
	MaxMassDelete      = 500     // ids of a mass delete
	MaxRecordsPerPage  = 200     // list records, deleted records
	MaxListFields      = 50      // fields named in a list call
	MaxRecordsByPage   = 2_000   // reached by page number
	MaxRecordsByToken  = 100_000 // reached by page token
	HeavyConcurrency   = 10      // insert, update, upsert of more than 10 records, COQL, sorted lists; every edition
)

// Limits of bulk write, from [PageBulkWriteLimits]. That page also gives 10,000 rows; every other source has 25,000.
const (
	BulkWriteMaxRows    = 25_000     // data rows of one CSV
	BulkWriteMaxBytes   = 25_000_000 // of the zip; Zoho says 25 MB, the smaller reading is kept
	BulkWriteMaxColumns = 200        // headers and mappings
)

// Limits of bulk read, from [PageBulkReadLimits].
const (
	BulkReadMaxRows     = 200_000 // per job and page
	BulkReadMaxFields   = 200     // selected by name
	BulkReadMaxCriteria = 25      // comparisons, those of a custom view included
	BulkReadMaxValues   = 20      // of an in or not_in comparison
	BulkReadMaxPages    = 500     // by number
	BulkReadsPerMinute  = 10      // result downloads, then a block of one minute
)

// License is what the limits depend on. [Organization.License] has it.
type License struct {
	PaidType     string // license_details.paid_type, any spelling; "" is free
	TrialType    string // license_details.trial_type: the edition being tried, used when Paid is false
	Paid         bool
	Users        int   // licensed users
	AddOnCredits int64 // bought credits; Zoho does not report them, the operator may know
}

// Edition is one row of the table of editions.
type Edition struct {
	Name           string
	BaseCredits    int64 // per rolling 24 hours and organisation
	CreditsPerUser int64
	MaxCredits     int64 // without add-ons; 0 is no cap
	Concurrency    int   // calls active at once, per organisation and client
	Source         string
}

// Editions, least first. Zoho computes credits over the preceding 24 hours: a spent credit comes back 24 hours later.
var editions = []Edition{
	{"Free", 5_000, 0, 5_000, 5, PageAPILimits},
	{"Standard", 50_000, 250, 100_000, 10, PageAPILimits},
	{"Professional", 50_000, 500, 3_000_000, 15, PageAPILimits},
	{"Enterprise", 50_000, 1_000, 5_000_000, 20, PageAPILimits},
	{"Ultimate", 50_000, 2_000, 0, 25, PageAPILimits},
}

// Editions returns the table of editions.
func Editions() []Edition { return append([]Edition(nil), editions...) }

// CreditBudget is what an organisation may spend.
type CreditBudget struct {
	Edition          Edition
	Credits          int64 // per rolling 24 hours
	Concurrency      int
	HeavyConcurrency int
	Known            bool   // false when the edition's name was not recognised and the least paid edition was assumed
	Source           string // page the figures are from
}

// Budget computes the limits of a license. Edition names are recognised loosely (zohooneenterprise, CRM Plus, Zoho One,
// starter...). An unknown name is treated as Standard, because a budget that is too small only costs time.
func Budget(l License) CreditBudget {
	name := l.PaidType
	if !l.Paid && l.TrialType != "" {
		name = l.TrialType
	}
	e, known := editionOf(name)
	credits := e.BaseCredits + e.CreditsPerUser*int64(max(l.Users, 0))
	if e.MaxCredits > 0 {
		credits = min(credits, e.MaxCredits)
	}
	return CreditBudget{
		Edition: e, Known: known, Credits: credits + max(l.AddOnCredits, 0),
		Concurrency: e.Concurrency, HeavyConcurrency: min(HeavyConcurrency, e.Concurrency), Source: e.Source,
	}
}

// editionWords maps words found in paid_type to rows of editions; the first match wins, so compound names go first.
var editionWords = []struct {
	word  string
	index int
}{
	{"crmplusstarter", 1}, {"zohoonestandard", 1}, {"crmplus", 4}, {"ultimate", 4}, {"enterprise", 3}, {"zohoone", 3},
	{"professional", 2}, {"starter", 1}, {"standard", 1}, {"bigin", 1}, {"free", 0},
}

func editionOf(paidType string) (Edition, bool) {
	name := strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(paidType))
	if name == "" {
		return editions[0], true
	}
	for _, w := range editionWords {
		if strings.Contains(name, w.word) {
			return editions[w.index], true
		}
	}
	return editions[1], false
}

// Charge is one row of the table of costs: Credits for every Per records, or for every call when Per is 0.
type Charge struct {
	Op      Op
	Credits int
	Per     int
	Source  string
}

// charges: calls that are not listed cost 1. Uploads are not on Zoho's list; they are counted as 1.
var charges = []Charge{
	{OpBulkWriteCreate, 500, 0, PageAPILimits},
	{OpBulkReadCreate, 50, 0, PageAPILimits},
	{OpRecordsInsert, 1, 10, PageAPILimits},
	{OpRecordsUpdate, 1, 10, PageAPILimits},
	{OpRecordsUpsert, 1, 10, PageAPILimits},
	{OpMassDelete, 1, 100, PageAPILimits},
	{OpDeletedList, 2, 0, PageAPILimits},
	{OpRecordsCount, 50, 0, PageAPILimits},
}

// Charges returns the table of costs; calls that are not in it cost 1 credit, and COQL 1 to 3 by its LIMIT.
func Charges() []Charge { return append([]Charge(nil), charges...) }

// Cost returns the credits of one call carrying n records (for COQL: its LIMIT).
func Cost(op Op, n int) int {
	if op == OpCOQL {
		switch {
		case n <= 200:
			return 1
		case n <= 1000:
			return 2
		default:
			return 3
		}
	}
	for _, c := range charges {
		if c.Op != op {
			continue
		}
		if c.Per == 0 {
			return c.Credits
		}
		return c.Credits * max(1, (n+c.Per-1)/c.Per)
	}
	if op == OpToken || op == OpRevoke || op == OpServerInfo {
		return 0
	}
	return 1
}

// newCall describes a call, with cost and weight by the tables.
func newCall(op Op, module string, records int, repeatable bool) Call {
	heavy := op == OpCOQL
	switch op {
	case OpRecordsInsert, OpRecordsUpdate, OpRecordsUpsert:
		heavy = records > 10
	}
	return Call{Op: op, Module: module, Records: records, Credits: Cost(op, records), Heavy: heavy, Repeatable: repeatable}
}
