package zohosim

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The criteria of a bulk read query, after docs/v7/bulk-read/create-job.html: one criterion, or groups of groups.
// At most 25 criteria, at most 20 values of in and not_in, comparators by data type, ${EMPTY} for blank, no
// milliseconds in date-times. Group operators and comparators are accepted in any case.

const (
	maxCriteria = 25
	maxInValues = 20
	emptyValue  = "${EMPTY}"
)

// criterion is the wire shape: a group, or field, comparator and value. The v2 shape has api_name on top.
type criterion struct {
	GroupOperator string      `json:"group_operator"`
	Group         []criterion `json:"group"`
	Field         *struct {
		APIName string `json:"api_name"`
	} `json:"field"`
	APIName    string          `json:"api_name"`
	Comparator string          `json:"comparator"`
	Value      json.RawMessage `json:"value"`
}

type maxLimit struct {
	Max int `json:"max_limit"`
}

type criterionDetails struct {
	APIName    string `json:"api_name"`
	Comparator string `json:"comparator,omitempty"`
}

var (
	numberComparators = []string{"equal", "not_equal", "in", "not_in", "less_than", "less_equal", "greater_than", "greater_equal"}
	textComparators   = []string{"equal", "not_equal", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with"}
	dateComparators   = []string{"equal", "not_equal", "in", "not_in", "between", "not_between", "greater_than", "greater_equal", "less_than", "less_equal"}
	lookupComparators = []string{"equal", "not_equal", "in", "not_in"}
)

func comparatorsOf(kind string) []string {
	switch {
	case numeric(kind):
		return numberComparators
	case kind == "date" || kind == "datetime":
		return dateComparators
	case kind == "boolean":
		return []string{"equal"}
	case kind == "lookup" || kind == "ownerlookup" || kind == "userlookup":
		return lookupComparators
	}
	return textComparators
}

// criteriaCompiler compiles wire criteria for one module; the store is locked for reading.
type criteriaCompiler struct {
	sim   *Sim
	table *table
	count int
}

func (k *criteriaCompiler) compile(c *criterion) (condition, *apiError) {
	if c.GroupOperator != "" || len(c.Group) > 0 {
		return k.group(c)
	}
	if k.count++; k.count > maxCriteria {
		return condition{}, bad("CRITERIA_LIMIT_EXCEEDED", "criteria limit exceeded").with(maxLimit{maxCriteria})
	}
	name := c.APIName
	if c.Field != nil {
		name = c.Field.APIName
	}
	if name == "" || c.Comparator == "" || len(c.Value) == 0 {
		return condition{}, bad("INVALID_CRITERIA", "invalid criteria")
	}
	path, ok := k.sim.store.resolvePath(k.table, name)
	if !ok {
		return condition{}, bad("FIELD_IN_CRITERIA_NOT_AVAILABLE", "the field in the criteria is not available").with(criterionDetails{APIName: name})
	}
	return k.criterion(c, path)
}

func (k *criteriaCompiler) group(c *criterion) (condition, *apiError) {
	out := condition{op: strings.ToLower(c.GroupOperator)}
	if out.op != "and" && out.op != "or" {
		return out, bad("GROUP_OPERATOR_NOT_SUPPORTED", "the group operator is not supported")
	}
	if c.Field != nil || len(c.Group) == 0 {
		return out, bad("AMBIGUOUS_GROUP_IN_CRITERIA", "ambiguous group in criteria")
	}
	for i := range c.Group {
		m, err := k.compile(&c.Group[i])
		if err != nil {
			return out, err
		}
		out.members = append(out.members, m)
	}
	return out, nil
}

func (k *criteriaCompiler) criterion(c *criterion, path fieldPath) (condition, *apiError) {
	out := condition{path: path, comparator: strings.ToLower(c.Comparator)}
	details := criterionDetails{path.name, out.comparator}
	kind := path.kind()
	if !path.last().stored() && path.last().sys == sysNone {
		return out, bad("FIELD_IN_CRITERIA_NOT_SUPPORTED", "the field in the criteria is not supported").with(details)
	}
	if !slices.Contains(comparatorsOf(kind), out.comparator) {
		return out, bad("FIELD_AND_COMPARATOR_IN_CRITERIA_NOT_COMPATIBLE", "the field and the comparator are not compatible").with(details)
	}
	if path.last().Encrypted && !slices.Contains(lookupComparators, out.comparator) {
		return out, bad("COMPARATOR_AND_ENCRYPTED_VALUE_IN_CRITERIA_NOT_COMPATIBLE", "the comparator is not compatible with an encrypted field").with(details)
	}
	values, isList := rawValues(c.Value)
	switch between := strings.HasSuffix(out.comparator, "between"); {
	case between && len(values) != 2, !between && isList && out.comparator != "in" && out.comparator != "not_in":
		return out, bad("COMPARATOR_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", "the comparator and the value are not compatible").with(details)
	case len(values) > maxInValues:
		return out, bad("VALUE_LIMIT_EXCEEDED_IN_CRITERIA", "value limit exceeded in criteria").with(maxLimit{maxInValues})
	}
	for _, raw := range values {
		v, ok := k.sim.criterionValue(kind, raw)
		if !ok {
			return out, bad("FIELD_AND_VALUE_IN_CRITERIA_NOT_COMPATIBLE", "the field and the value are not compatible").with(details)
		}
		out.values = append(out.values, v)
	}
	out.prepare()
	return out, nil
}

// rawValues takes a scalar, or the members of an array, as text.
func rawValues(raw json.RawMessage) (values []string, isList bool) {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil && bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		isList = true
	} else {
		list = []json.RawMessage{raw}
	}
	for _, m := range list {
		var s string
		if json.Unmarshal(m, &s) != nil {
			s = string(m)
		}
		values = append(values, s)
	}
	return values, isList
}

// criterionValue makes a value canonical for comparison; false when it does not fit the type.
func (s *Sim) criterionValue(kind, text string) (cell, bool) {
	if text == emptyValue || text == "null" || text == "" {
		return cell{}, true
	}
	switch {
	case kind == "bigint": // up to 19 digits, record ids among them
		v, err := strconv.ParseInt(text, 10, 64)
		return cell{strconv.FormatInt(v, 10), true}, err == nil
	case numeric(kind):
		v, err := parseDecimal(text, nil)
		return cell{v, true}, err == nil
	case kind == "boolean":
		return cell{text, true}, text == "true" || text == "false"
	case kind == "date":
		t, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return cell{}, false
		}
		return cell{t.Format(time.DateOnly), true}, true
	case kind == "datetime":
		return instant(text)
	case strings.HasSuffix(kind, "lookup"):
		_, ok := parseID(text)
		return cell{text, true}, ok
	}
	return cell{text, len(text) > 0}, len(text) <= 4*255
}

// instant parses an ISO 8601 date-time with an offset and without milliseconds. A space where the plus sign was is
// what unescaped query strings turn it into.
func instant(text string) (cell, bool) {
	if strings.Contains(text, ".") {
		return cell{}, false
	}
	if n := len(text); n > 6 && text[n-6] == ' ' {
		text = text[:n-6] + "+" + text[n-5:]
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !plausible(t.UTC()) {
		return cell{}, false
	}
	return cell{t.UTC().Format(time.RFC3339), true}, true
}
