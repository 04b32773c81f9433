package runner

import (
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/sluiceio/sluice/connector"
)

// applies reports whether the conditions of a field hold, defaults counted as
// answers.
func applies(f connector.Field, form connector.Form, answers connector.Answers) bool {
	for _, condition := range f.DependsOn {
		values := answers[condition.Field]
		if len(values) == 0 {
			for _, other := range form.Fields {
				if other.Name == condition.Field {
					values = other.Default
				}
			}
		}
		if !holds(condition, values) {
			return false
		}
	}
	return true
}

func holds(condition connector.Condition, values []string) bool {
	return slices.ContainsFunc(values, func(value string) bool {
		if len(condition.Values) == 0 {
			return value != ""
		}
		return slices.Contains(condition.Values, value)
	})
}

// checkText checks a typed answer against the field's kind and validation.
func checkText(v *validation, f connector.Field, value string) {
	switch f.Kind {
	case connector.FieldCheckbox:
		if value != "true" && value != "false" {
			v.violation(f.Name, `takes "true" or "false"`)
		}
		return
	case connector.FieldNumber, connector.FieldSlider:
		checkNumber(v, f, value)
		return
	}
	rules := f.Validation
	n := utf8.RuneCountInString(value)
	if rules.MinLength > 0 && n < rules.MinLength {
		v.violation(f.Name, "needs at least %d characters", rules.MinLength)
	}
	if rules.MaxLength > 0 && n > rules.MaxLength {
		v.violation(f.Name, "takes at most %d characters", rules.MaxLength)
	}
	if rules.Pattern == "" {
		return
	}
	pattern, err := regexp.Compile(`^(?:` + rules.Pattern + `)$`)
	if err != nil {
		v.violation(f.Name, "cannot be checked, since the connector's pattern is wrong: %v", err)
	} else if !pattern.MatchString(value) {
		v.violation(f.Name, "%s", nameOr(rules.PatternMessage, "must match "+rules.Pattern))
	}
}

func checkNumber(v *validation, f connector.Field, value string) {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		v.violation(f.Name, "must be a number")
		return
	}
	if low := f.Validation.Min; low != nil && n < *low {
		v.violation(f.Name, "must be at least %v", *low)
	}
	if high := f.Validation.Max; high != nil && n > *high {
		v.violation(f.Name, "must be at most %v", *high)
	}
}
