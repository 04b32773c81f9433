package zoho

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Formats of dates in a bulk write file, in Java's letters. They are always
// sent, because Zoho's pages disagree about the defaults. Whether a format with
// an offset is accepted is not documented, so date-times are written in the
// connected user's zone
// (https://www.zoho.com/crm/developer/docs/api/v8/bulk-write/create-job.html).
const (
	csvDateFormat     = "yyyy-MM-dd"
	csvDateTimeFormat = "yyyy-MM-dd HH:mm:ss"
	goDateTimeFormat  = "2006-01-02 15:04:05"
)

// cellWriter renders a value as a CSV cell. It returns what is wrong with the
// value, "" when nothing is. Length and choice are left to Zoho.
type cellWriter func(text string) (cell, problem string)

// jsonWriter renders a value for the records API, with the same checks.
type jsonWriter func(b []byte, text string) (out []byte, problem string)

// render sets how the target's values are written.
func (t *target) render(zone *time.Location) {
	t.cell, t.json = plainCell, quotedJSON
	switch {
	case t.isID, t.findBy == idField:
		t.cell = idCell
		t.json = referenceJSON(idField, idCell)
		if t.isID {
			t.json = quotedJSON
		}
		return
	case t.findBy == "email":
		t.json = referenceJSON("email", plainCell)
		return
	case t.findBy != "":
		return // bulk only
	}
	switch t.field.DataType {
	case "boolean":
		t.cell, t.json = boolCell, bareJSON(boolCell)
	case "integer":
		t.cell, t.json = intCell, bareJSON(intCell)
	case "bigint", "long":
		t.cell, t.json = intCell, textJSON(intCell)
	case "double", "decimal", "currency", "percent", "number":
		t.cell, t.json = decimalCell, bareJSON(decimalCell)
	case "date":
		t.format, t.cell = csvDateFormat, func(text string) (string, string) { return dateCell(text, zone) }
		t.json = textJSON(t.cell)
	case "datetime":
		t.format, t.cell = csvDateTimeFormat, func(text string) (string, string) { return wallCell(text, zone) }
		t.json = textJSON(func(text string) (string, string) { return instantCell(text, zone) })
	case "multiselectpicklist":
		t.cell, t.json = multiSelectCell, multiSelectJSON
	}
}

func plainCell(text string) (string, string) { return text, "" }

func idCell(text string) (string, string) {
	id := strings.TrimSpace(text)
	if id == "" || len(id) > 20 || !digits(id) {
		return "", "not a record id of Zoho, which is digits only"
	}
	return id, ""
}

func boolCell(text string) (string, string) {
	if b := canonicalBool(text); b == "true" || b == "false" {
		return b, ""
	}
	return "", "not true or false"
}

func intCell(text string) (string, string) {
	n := canonicalInt(text)
	if number := strings.TrimPrefix(n, "-"); number == "" || !digits(number) {
		return "", "not a whole number"
	}
	return n, ""
}

func decimalCell(text string) (string, string) {
	d := canonicalDecimal(text)
	if !isDecimal(d) {
		return "", "not a number"
	}
	return d, ""
}

func dateCell(text string, zone *time.Location) (string, string) {
	text = strings.TrimSpace(text)
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return text, ""
	}
	if t, ok := parseInstant(text, zone); ok {
		return t.In(zone).Format(time.DateOnly), ""
	}
	return "", "not a date (YYYY-MM-DD)"
}

// instantCell writes a date-time in a zone, with its offset.
func instantCell(text string, zone *time.Location) (string, string) {
	t, ok := instantOf(text, zone)
	if !ok {
		return "", notInstant
	}
	return t.Format(time.RFC3339), ""
}

// wallCell writes a date-time as the wall clock of a zone shows it.
func wallCell(text string, zone *time.Location) (string, string) {
	t, ok := instantOf(text, zone)
	switch {
	case !ok:
		return "", notInstant
	case occursTwice(t):
		return "", timeTwice
	}
	return t.Format(goDateTimeFormat), ""
}

const notInstant = "not a date-time (ISO 8601)"

// instantOf reads a date-time or a date. A value without a zone is taken as the
// wall clock of the given one.
func instantOf(text string, zone *time.Location) (time.Time, bool) {
	text = strings.TrimSpace(text)
	if t, ok := parseInstant(text, zone); ok {
		return t.In(zone), true
	}
	t, err := time.ParseInLocation(time.DateOnly, text, zone)
	return t, err == nil
}

// parseInstant reads what hosts write: RFC 3339, or the same without a zone.
// Fractions of a second are accepted; Zoho keeps none.
func parseInstant(text string, zone *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, true
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// choices reads a multi-select value: a JSON array of texts, or choices joined
// with semicolons as Zoho writes them.
func choices(text string) ([]string, bool) {
	trimmed := strings.TrimSpace(text)
	if strings.HasPrefix(trimmed, "[") {
		var list []string
		if json.Unmarshal([]byte(trimmed), &list) != nil {
			return nil, false
		}
		return list, true
	}
	var list []string
	for part := range strings.SplitSeq(trimmed, ";") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list, true
}

func multiSelectCell(text string) (string, string) {
	list, ok := choices(text)
	if !ok {
		return "", "not a JSON array of texts"
	}
	return strings.Join(list, ";"), ""
}

func multiSelectJSON(b []byte, text string) ([]byte, string) {
	list, ok := choices(text)
	if !ok {
		return b, "not a JSON array of texts"
	}
	return append(b, jsonStrings(list)...), ""
}

func quotedJSON(b []byte, text string) ([]byte, string) {
	q, err := json.Marshal(text)
	if err != nil {
		return b, "not text"
	}
	return append(b, q...), ""
}

// bareJSON writes what the cell writer gives as a number or boolean.
func bareJSON(cell cellWriter) jsonWriter {
	return func(b []byte, text string) ([]byte, string) {
		c, problem := cell(text)
		if problem != "" {
			return b, problem
		}
		return append(b, jsonNumber(c)...), ""
	}
}

// jsonNumber makes a canonical decimal a JSON number, which has no leading
// zeros and no bare point.
func jsonNumber(c string) string {
	if c == "true" || c == "false" {
		return c
	}
	negative := strings.HasPrefix(c, "-")
	whole, fraction, point := strings.Cut(strings.TrimPrefix(c, "-"), ".")
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if point {
		whole += "." + fraction
	}
	if negative {
		return "-" + whole
	}
	return whole
}

// textJSON writes what the cell writer gives as a JSON string.
func textJSON(cell cellWriter) jsonWriter {
	return func(b []byte, text string) ([]byte, string) {
		c, problem := cell(text)
		if problem != "" {
			return b, problem
		}
		return quotedJSON(b, c)
	}
}

// referenceJSON writes {"id":"..."} or {"email":"..."}.
func referenceJSON(member string, cell cellWriter) jsonWriter {
	return func(b []byte, text string) ([]byte, string) {
		c, problem := cell(text)
		if problem != "" {
			return b, problem
		}
		b = append(b, `{"`+member+`":`...)
		b, problem = quotedJSON(b, c)
		return append(b, '}'), problem
	}
}

// invalid is the outcome of a value or row that is not sent.
func invalid(code, field, problem string) *connector.Error {
	return &connector.Error{
		Class: connector.ClassRejected, Code: code, Message: "the record was not sent: " + field + " is " + problem,
		Fields: []connector.FieldViolation{{Field: field, Description: problem}},
	}
}
