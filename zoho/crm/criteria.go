package crm

import (
	"encoding/json"
	"fmt"
	"time"
)

// Comparator compares a field with a value in [Criteria].
type Comparator string

// The comparators; which suit which type:
// numbers and lookups have the first eight without between; text adds contains to ends_with; dates have between instead;
// booleans have equal only (https://www.zoho.com/crm/developer/docs/api/v8/bulk-read/create-job.html).
const (
	Equal        Comparator = "equal"
	NotEqual     Comparator = "not_equal"
	In           Comparator = "in"
	NotIn        Comparator = "not_in"
	LessThan     Comparator = "less_than"
	LessEqual    Comparator = "less_equal"
	GreaterThan  Comparator = "greater_than"
	GreaterEqual Comparator = "greater_equal"
	Between      Comparator = "between"
	NotBetween   Comparator = "not_between"
	Contains     Comparator = "contains"
	NotContains  Comparator = "not_contains"
	StartsWith   Comparator = "starts_with"
	EndsWith     Comparator = "ends_with"
)

// Empty is the value that stands for a blank field.
const Empty = "${EMPTY}"

// Criteria selects records: a comparison, or a group of criteria. Make it with [Compare], [And] and [Or].
type Criteria struct {
	field      string
	comparator Comparator
	value      any
	operator   string
	group      []Criteria
}

// Compare compares a field (API name; dots follow lookups) with a value: string, bool, int64, json.Number, time.Time, or
// a slice of these for in, not_in and between. Instants are sent in UTC without fractions, which Zoho refuses.
func Compare(field string, c Comparator, value any) Criteria {
	return Criteria{field: field, comparator: c, value: value}
}

// And holds when all of group hold.
func And(group ...Criteria) Criteria { return Criteria{operator: "and", group: group} }

// Or holds when one of group holds.
func Or(group ...Criteria) Criteria { return Criteria{operator: "or", group: group} }

// size counts the comparisons.
func (c Criteria) size() int {
	if c.operator == "" {
		return 1
	}
	n := 0
	for _, g := range c.group {
		n += g.size()
	}
	return n
}

// MarshalJSON writes the criteria as Zoho wants them. A group of one is written as its member.
func (c Criteria) MarshalJSON() ([]byte, error) {
	if c.operator == "" {
		value, err := criteriaValue(c.value)
		if err == nil && (c.comparator == In || c.comparator == NotIn) && valueCount(value) > BulkReadMaxValues {
			err = fmt.Errorf("%d values; Zoho takes at most %d", valueCount(value), BulkReadMaxValues)
		}
		if err != nil {
			return nil, fmt.Errorf("the value compared with %s: %w", c.field, err)
		}
		return json.Marshal(struct {
			Field      moduleName `json:"field"`
			Comparator Comparator `json:"comparator"`
			Value      any        `json:"value"`
		}{moduleName{c.field}, c.comparator, value})
	}
	if len(c.group) == 0 {
		return nil, fmt.Errorf("an empty group of criteria")
	}
	if len(c.group) == 1 {
		return json.Marshal(c.group[0])
	}
	return json.Marshal(struct {
		Operator string     `json:"group_operator"`
		Group    []Criteria `json:"group"`
	}{c.operator, c.group})
}

func criteriaValue(v any) (any, error) {
	switch v := v.(type) {
	case string, bool, int, int64, json.Number, []string, []int64, []json.Number:
		return v, nil
	case time.Time:
		return zohoTime(v), nil
	case []time.Time:
		out := make([]string, len(v))
		for i, t := range v {
			out[i] = zohoTime(t)
		}
		return out, nil
	}
	return nil, fmt.Errorf("type %T is not supported", v)
}

func valueCount(v any) int {
	switch v := v.(type) {
	case []string:
		return len(v)
	case []int64:
		return len(v)
	case []json.Number:
		return len(v)
	}
	return 1
}
