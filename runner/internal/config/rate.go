package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

var units = []struct {
	name string
	per  time.Duration
}{{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}}

// ParseRate reads a rate: "340/day", with second, minute, hour, day, or a
// duration such as "10/30s".
func ParseRate(text string) (connector.Rate, error) {
	count, unit, _ := strings.Cut(text, "/")
	n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
	if err != nil || n <= 0 {
		return connector.Rate{}, fmt.Errorf("rate %q is not a number above zero, a slash and a unit, such as 340/day", text)
	}
	unit = strings.TrimSpace(unit)
	for _, u := range units {
		if u.name == unit {
			return connector.Rate{Count: n, Per: u.per}, nil
		}
	}
	per, err := time.ParseDuration(unit)
	if err != nil || per <= 0 {
		return connector.Rate{}, fmt.Errorf("rate %q has the unknown unit %q: use second, minute, hour, day, or a duration such as 30s", text, unit)
	}
	return connector.Rate{Count: n, Per: per}, nil
}

// FormatRate writes a rate so that [ParseRate] reads it.
func FormatRate(rate connector.Rate) string {
	for _, u := range units {
		if u.per == rate.Per {
			return fmt.Sprintf("%d/%s", rate.Count, u.name)
		}
	}
	return fmt.Sprintf("%d/%s", rate.Count, rate.Per)
}
