package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// strategyNamed finds a strategy of the connector.
func strategyNamed(manifest connector.Manifest, name string) (connector.Strategy, error) {
	var names []string
	for _, s := range manifest.Strategies {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return connector.Strategy{}, &connector.Error{
		Class: connector.ClassConfig, Code: "UNKNOWN_STRATEGY",
		Message: fmt.Sprintf("connector %s has no strategy %q", manifest.ID, name),
		Fields:  []connector.FieldViolation{{Field: "strategy", Description: "choose one of " + strings.Join(names, ", ")}},
	}
}

// near returns up to three names that resemble one that does not exist, the
// nearest first.
func near(name string, names []string) []string {
	type match struct {
		name     string
		distance int
	}
	var matches []match
	folded := fold(name)
	for _, candidate := range names {
		other := fold(candidate)
		d := distance(folded, other)
		if strings.Contains(other, folded) && folded != "" || strings.Contains(folded, other) && other != "" {
			d = min(d, 1)
		}
		if d <= max(1, len(folded)/3) {
			matches = append(matches, match{candidate, d})
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(a.distance, b.distance) })
	var nearest []string
	for _, m := range matches[:min(3, len(matches))] {
		nearest = append(nearest, m.name)
	}
	return nearest
}

// didYouMean says near matches in words, or nothing.
func didYouMean(name string, names []string) string {
	nearest := near(name, names)
	if nearest == nil {
		return ""
	}
	return "; did you mean " + strings.Join(nearest, ", ") + "?"
}

// fold leaves out what people get wrong most: case, spaces, underscores, hyphens.
func fold(s string) string {
	return strings.NewReplacer("_", "", " ", "", "-", "").Replace(strings.ToLower(s))
}

// distance is the Levenshtein distance of two short texts, in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
