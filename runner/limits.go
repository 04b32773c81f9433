package runner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// ApplyOverrides returns the limits in force: those reported, with the user's
// changes made. Overrides that name nothing that exists are left out, and the
// error names them; the limits returned with it are valid all the same.
func ApplyOverrides(reported connector.Limits, overrides []LimitOverride) (connector.Limits, error) {
	limits := connector.Limits{Limits: slices.Clone(reported.Limits), Pools: slices.Clone(reported.Pools)}
	var unknown []string
	for _, o := range overrides {
		if !applyOverride(&limits, o) {
			unknown = append(unknown, describeTarget(o))
		}
	}
	if len(unknown) > 0 {
		return limits, connector.Errorf(connector.ClassConfig, "UNKNOWN_LIMIT",
			"there is no %s to override; the connector has %s", strings.Join(unknown, ", no "), limitNames(reported))
	}
	return limits, nil
}

func applyOverride(limits *connector.Limits, o LimitOverride) bool {
	found := false
	for i := range limits.Limits {
		if l := &limits.Limits[i]; o.Category != "" && l.Category == o.Category {
			found = true
			if o.Rates != nil {
				l.Rates = slices.Clone(o.Rates)
			}
			if o.MaxConcurrency != nil {
				l.MaxConcurrency = *o.MaxConcurrency
			}
		}
	}
	for i := range limits.Pools {
		if p := &limits.Pools[i]; o.Pool != "" && p.Name == o.Pool {
			found = true
			if o.Capacity != nil {
				p.Capacity = *o.Capacity
			}
		}
	}
	return found
}

func describeTarget(o LimitOverride) string {
	if o.Pool != "" {
		return fmt.Sprintf("pool %q", o.Pool)
	}
	return fmt.Sprintf("limit %q", o.Category)
}

func limitNames(limits connector.Limits) string {
	var names []string
	for _, l := range limits.Limits {
		names = append(names, "limit "+l.Category)
	}
	for _, p := range limits.Pools {
		names = append(names, "pool "+p.Name)
	}
	if names == nil {
		return "no limits"
	}
	return strings.Join(names, ", ")
}

// LimitSentences says limits in words, one sentence for each pool and limit, for
// instance "Bulk Write Initialize: 340 a day; 10 at once".
func LimitSentences(limits connector.Limits) []string {
	var sentences []string
	for _, p := range limits.Pools {
		sentences = append(sentences, fmt.Sprintf("%s: %s %s", nameOr(p.Label, p.Name), grouped(p.Capacity), per(p.Window)))
	}
	for _, l := range limits.Limits {
		sentences = append(sentences, nameOr(l.Label, l.Category)+": "+limitParts(l, limits.Pools))
	}
	return sentences
}

func limitParts(l connector.Limit, pools []connector.Pool) string {
	var parts []string
	for _, r := range l.Rates {
		parts = append(parts, grouped(r.Count)+" "+per(r.Per))
	}
	if p := poolNamed(pools, costPool(l)); p != nil && l.Cost.Units > 0 {
		parts = append(parts, costPart(*l.Cost, *p))
	}
	if l.MaxConcurrency > 0 {
		part := fmt.Sprintf("%d at once", l.MaxConcurrency)
		if l.Shared != "" {
			part += " (shared: " + l.Shared + ")"
		}
		parts = append(parts, part)
	}
	if parts == nil {
		return "unlimited"
	}
	return strings.Join(parts, "; ")
}

// costPart says how far a pool reaches and what one request takes.
func costPart(c connector.Cost, p connector.Pool) string {
	name := nameOr(p.Label, p.Name)
	if c.Items > 0 {
		return fmt.Sprintf("%s %s for every %s records, at most %s records %s",
			grouped(c.Units), name, grouped(c.Items), grouped(p.Capacity/c.Units*c.Items), per(p.Window))
	}
	return fmt.Sprintf("%s %s each, at most %s %s", grouped(c.Units), name, grouped(p.Capacity/c.Units), per(p.Window))
}

func costPool(l connector.Limit) string {
	if l.Cost == nil {
		return ""
	}
	return l.Cost.Pool
}

func poolNamed(pools []connector.Pool, name string) *connector.Pool {
	for i := range pools {
		if pools[i].Name == name {
			return &pools[i]
		}
	}
	return nil
}

func nameOr(label, name string) string {
	if label != "" {
		return label
	}
	return name
}

// per says a window in words: "a minute", "in 10 s".
func per(d time.Duration) string {
	switch d {
	case time.Second:
		return "a second"
	case time.Minute:
		return "a minute"
	case time.Hour:
		return "an hour"
	case 24 * time.Hour:
		return "a day"
	}
	return "in " + d.String()
}

// grouped writes a number with thousands separated by commas.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
