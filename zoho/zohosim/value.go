package zohosim

import (
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// valueError says why a value is refused: Zoho's row code, and for the records API what was expected.
type valueError struct {
	code     string
	expected string
	maximum  int
}

func invalid(expected string) *valueError {
	return &valueError{code: "INVALID_DATA", expected: expected}
}

// parser turns text of a CSV cell or a JSON string into canonical stored text.
type parser struct {
	loc         *time.Location
	dates       string // of cells without a format: any, us or iso
	rejectPicks bool
}

// scalar parses a value of a field that is neither lookup nor user. The text must not be empty.
// Canonical forms: integers without leading zeros, booleans true and false, dates yyyy-MM-dd, date-times RFC 3339 in
// UTC, multi-select values joined by multiSep.
func (p *parser) scalar(f *Field, text string, format *pattern) (string, *valueError) {
	switch f.DataType {
	case "text", "textarea", "phone", "autonumber", "profileimage":
		return limited(f, text)
	case "email":
		return p.email(f, text)
	case "website":
		return p.website(f, text)
	case "picklist":
		return p.pick(f, text)
	case "multiselectpicklist":
		return p.picks(f, strings.Split(text, ";"))
	case "boolean":
		return parseBool(text)
	case "integer", "bigint":
		return parseInteger(f, text)
	case "double", "currency", "percent":
		return parseDecimal(text, format)
	case "date":
		return p.date(text, format)
	case "datetime":
		return p.datetime(text, format)
	}
	return "", invalid(f.DataType)
}

func limited(f *Field, text string) (string, *valueError) {
	if len(text) > f.Length && utf8.RuneCountInString(text) > f.Length {
		return "", &valueError{code: "INVALID_DATA", expected: "string", maximum: f.Length}
	}
	return text, nil
}

func (p *parser) email(f *Field, text string) (string, *valueError) {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || !strings.Contains(text[strings.LastIndexByte(text, '@'):], ".") {
		return "", invalid("email")
	}
	return limited(f, text)
}

func (p *parser) website(f *Field, text string) (string, *valueError) {
	low := strings.ToLower(text)
	rest := ""
	for _, scheme := range []string{"http://", "https://", "ftp://", "www."} {
		if strings.HasPrefix(low, scheme) {
			rest = low[len(scheme):]
			break
		}
	}
	if rest == "" || strings.ContainsAny(rest, " \t\n") || !strings.Contains(rest, ".") {
		return "", invalid("website")
	}
	return limited(f, text)
}

func (p *parser) pick(f *Field, text string) (string, *valueError) {
	if !f.choices[text] {
		if p.rejectPicks || f.FixedPicklist || utf8.RuneCountInString(text) > f.Length {
			return "", invalid("picklist")
		}
		f.choices[text] = true
		f.Picklist = append(f.Picklist, text)
	}
	return text, nil
}

func (p *parser) picks(f *Field, values []string) (string, *valueError) {
	for i, v := range values {
		values[i] = strings.TrimSpace(v)
		if _, err := p.pick(f, values[i]); err != nil {
			return "", err
		}
	}
	return strings.Join(values, multiSep), nil
}

func parseBool(text string) (string, *valueError) {
	switch strings.ToLower(text) {
	case "true", "1":
		return "true", nil
	case "false", "0":
		return "false", nil
	}
	return "", invalid("boolean")
}

func parseInteger(f *Field, text string) (string, *valueError) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return "", invalid(f.DataType)
	}
	s := strconv.FormatInt(n, 10)
	if len(strings.TrimPrefix(s, "-")) > f.Length {
		return "", &valueError{code: "INVALID_DATA", expected: f.DataType, maximum: f.Length}
	}
	return s, nil
}

// parseDecimal accepts up to 16 digits before and 9 after the point. With a number format grouping commas are removed.
func parseDecimal(text string, format *pattern) (string, *valueError) {
	text = strings.TrimSpace(text)
	if format != nil && format.number {
		text = strings.ReplaceAll(text, format.group, "")
		text = strings.Replace(text, format.point, ".", 1)
	}
	body := strings.TrimPrefix(text, "-")
	whole, frac, hasPoint := strings.Cut(body, ".")
	if !digits(whole) || hasPoint && !digits(frac) || len(frac) > 9 {
		return "", invalid("double")
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 16 {
		return "", &valueError{code: "INVALID_DATA", expected: "double", maximum: 16}
	}
	out := defaulted(whole, "0")
	if hasPoint {
		out += "." + frac
	}
	if strings.HasPrefix(text, "-") {
		out = "-" + out
	}
	return out, nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// isoDates are the forms Zoho accepts without a format beside its documented MM/dd/yyyy.
var isoDateTimes = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04"}

// layouts are those a text may be in: the format's, or the default ones.
func (p *parser) layouts(format *pattern, us, iso []string) []string {
	switch {
	case format != nil:
		return []string{format.layout}
	case p.dates == "us":
		return us
	case p.dates == "iso":
		return iso
	}
	return slices.Concat(us, iso)
}

func (p *parser) date(text string, format *pattern) (string, *valueError) {
	layouts := p.layouts(format, []string{"01/02/2006"}, []string{time.DateOnly})
	for _, l := range layouts {
		if t, err := time.Parse(l, text); err == nil && plausible(t) {
			return t.Format(time.DateOnly), nil
		}
	}
	return "", invalid("date")
}

func (p *parser) datetime(text string, format *pattern) (string, *valueError) {
	layouts := p.layouts(format, []string{"01/02/2006 15:04:05"}, isoDateTimes)
	for _, l := range layouts {
		if t, err := time.ParseInLocation(l, text, p.loc); err == nil && plausible(t) {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", invalid("datetime")
}

func plausible(t time.Time) bool { return t.Year() >= 1 && t.Year() <= 9999 }
