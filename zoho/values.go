package zoho

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// reader turns the cells of one field into canonical text.
type reader func(cell string) string

// readerOf returns how a field's cells are read. A cell that is not what the
// type promises comes through unchanged: the host keeps it as text and counts
// it, which is better than losing it here. Zone is the connected user's.
func readerOf(f crm.Field, zone *time.Location) reader {
	switch typeOf(f).Kind {
	case connector.KindBool:
		return canonicalBool
	case connector.KindInt64:
		return canonicalInt
	case connector.KindDecimal:
		return canonicalDecimal
	case connector.KindDate:
		return canonicalDate
	case connector.KindTimestampTZ:
		return func(cell string) string { return canonicalInstant(cell, zone) }
	case connector.KindJSON:
		known := picks(f)
		// The longest first, so that "A;B" as one value wins over "A".
		slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
		return func(cell string) string { return jsonStrings(splitMultiSelect(cell, known)) }
	}
	return func(cell string) string { return cell }
}

func canonicalBool(cell string) string {
	switch strings.ToLower(strings.TrimSpace(cell)) {
	case "true", "1", "yes":
		return "true"
	case "false", "0", "no":
		return "false"
	}
	return cell
}

func canonicalInt(cell string) string {
	text := strings.TrimSpace(cell)
	if number := strings.TrimPrefix(text, "-"); number != "" && digits(number) {
		return text
	}
	// Formulas of an integer type are written 12.0 or 1.2E1.
	d := canonicalDecimal(text)
	whole, rest, _ := strings.Cut(d, ".")
	if isDecimal(d) && strings.Trim(rest, "0") == "" {
		return whole
	}
	return cell
}

// canonicalDecimal writes an exponent out, so that no digit is lost.
func canonicalDecimal(cell string) string {
	text := strings.TrimSpace(cell)
	if isDecimal(text) {
		return strings.TrimPrefix(text, "+")
	}
	if len(text) > 400 || !strings.ContainsAny(text, "eE") {
		return cell
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if !isDecimal(mantissa) || len(exponent) > 4 {
		return cell
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return cell
	}
	_, fraction, _ := strings.Cut(mantissa, ".")
	scale := len(fraction)
	if strings.HasPrefix(exponent, "-") {
		n, _ := new(big.Int).SetString(exponent[1:], 10)
		if n == nil {
			return cell
		}
		scale += int(n.Int64())
	}
	out := r.FloatString(scale)
	if strings.Contains(out, ".") {
		out = strings.TrimRight(strings.TrimRight(out, "0"), ".")
	}
	return out
}

// isDecimal reports whether s is an optional sign, digits, and an optional
// point with digits.
func isDecimal(s string) bool {
	if s != "" && (s[0] == '+' || s[0] == '-') {
		s = s[1:]
	}
	whole, fraction, point := strings.Cut(s, ".")
	if whole == "" && fraction == "" || point && fraction == "" {
		return false
	}
	return digits(whole) && digits(fraction)
}

// digits reports whether s holds nothing but digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func canonicalDate(cell string) string {
	text := strings.TrimSpace(cell)
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		return text
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.Format(time.DateOnly)
	}
	return cell
}

// canonicalInstant keeps the offset Zoho wrote; a date-time without one is in
// the connected user's zone.
func canonicalInstant(cell string, zone *time.Location) string {
	text := strings.TrimSpace(cell)
	if _, err := time.Parse(time.RFC3339, text); err == nil {
		return text
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return cell
}

// splitMultiSelect takes a cell of joined choices apart. Zoho's files join
// with ";" or with ",", and a choice may contain either, so known choices are
// recognised first, longest first; what is not known goes up to the next
// separator: ";" where the cell has one outside known choices, else ",".
func splitMultiSelect(cell string, known []string) []string {
	separator := ","
	if strings.Contains(cell, ";") {
		separator = ";"
	}
	var out []string
	for rest := strings.TrimSpace(cell); rest != ""; {
		value, after := nextChoice(rest, known, separator)
		if value != "" {
			out = append(out, value)
		}
		rest = strings.TrimLeft(after, " ")
	}
	return out
}

func nextChoice(rest string, known []string, separator string) (value, after string) {
	for _, k := range known {
		tail, ok := strings.CutPrefix(rest, k)
		if ok && tail == "" {
			return k, ""
		}
		if ok && (tail[0] == ';' || tail[0] == ',') {
			return k, tail[1:]
		}
	}
	value, after, _ = strings.Cut(rest, separator)
	return strings.TrimSpace(value), after
}

func jsonStrings(values []string) string {
	if values == nil {
		values = []string{}
	}
	b, _ := json.Marshal(values) // strings always encode
	return string(b)
}
