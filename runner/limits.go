package runner

import (
	"fmt"
	"slices"
	"strings"

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

func nameOr(label, name string) string {
	if label != "" {
		return label
	}
	return name
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
