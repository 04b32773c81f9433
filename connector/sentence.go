package connector

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sentences says in words what is allowed, one line for each limit and pool,
// for instance "Bulk Write Initialize: 120 a day (500 of 60,000 credits each)".
func (l Limits) Sentences() []string {
	var lines []string
	for _, p := range l.Pools {
		lines = append(lines, p.Sentence())
	}
	for _, limit := range l.Limits {
		lines = append(lines, limit.Sentence(l.Pools))
	}
	return lines
}

// Sentence says in words what the limit allows. The pools are those of the same
// [Limits].
func (l Limit) Sentence(pools []Pool) string {
	var parts []string
	for _, r := range l.Rates {
		parts = append(parts, r.String())
	}
	if l.Cost != nil {
		for _, p := range pools {
			if p.Name == l.Cost.Pool {
				parts = append(parts, l.Cost.sentence(p))
			}
		}
	}
	if l.MaxConcurrency > 0 {
		at := fmt.Sprintf("%s at once", digits(int64(l.MaxConcurrency)))
		if l.Shared != "" {
			at += " (shared: " + l.Shared + ")"
		}
		parts = append(parts, at)
	}
	if len(parts) == 0 {
		parts = []string{"no limit"}
	}
	return labelOr(l.Label, l.Category) + ": " + strings.Join(parts, ", ")
}

// sentence says how often a pool pays the cost, if nothing else draws on it.
func (c Cost) sentence(p Pool) string {
	pool := strings.ToLower(labelOr(p.Label, p.Name))
	if c.Items > 0 {
		return fmt.Sprintf("%s records %s (%s of %s %s for every %s records)",
			digits(p.Capacity/max(c.Units, 1)*c.Items), per(p.Window), digits(c.Units), digits(p.Capacity), pool, digits(c.Items))
	}
	return fmt.Sprintf("%s %s (%s of %s %s each)", digits(p.Capacity/max(c.Units, 1)), per(p.Window), digits(c.Units), digits(p.Capacity), pool)
}

// Sentence says in words what the pool holds, for instance "Credits: 60,000 a day, rolling".
func (p Pool) Sentence() string {
	return fmt.Sprintf("%s: %s %s, rolling", labelOr(p.Label, p.Name), digits(p.Capacity), per(p.Window))
}

// String says the rate in words, for instance "10 a second".
func (r Rate) String() string { return digits(r.Count) + " " + per(r.Per) }

func labelOr(label, name string) string {
	if label != "" {
		return label
	}
	return name
}

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
	for _, unit := range []struct {
		span time.Duration
		name string
	}{{24 * time.Hour, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}, {time.Second, "seconds"}} {
		if d > unit.span && d%unit.span == 0 {
			return fmt.Sprintf("in %d %s", d/unit.span, unit.name)
		}
	}
	return "in " + d.String()
}

// digits writes n with commas between groups of three.
func digits(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
