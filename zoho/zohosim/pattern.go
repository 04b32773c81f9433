package zohosim

import "strings"

// pattern is a compiled "format" of a bulk write field mapping: a Java-style date or date-time pattern as a Go layout,
// or a number pattern.
type pattern struct {
	layout       string
	number       bool
	offset       bool // holds an offset or zone
	group, point string
}

// javaLetters maps runs of Java pattern letters to Go's reference time.
var javaLetters = map[string]string{
	"yyyy": "2006", "uuuu": "2006", "yy": "06", "MM": "01", "M": "1", "MMM": "Jan", "MMMM": "January", "dd": "02", "d": "2",
	"HH": "15", "H": "15", "hh": "03", "h": "3", "mm": "04", "m": "4", "ss": "05", "s": "5", "SSS": "000", "a": "PM",
	"XXX": "Z07:00", "XX": "Z0700", "X": "Z07", "Z": "-0700", "ZZZZZ": "Z07:00", "EEE": "Mon", "EEEE": "Monday", "z": "MST",
}

// parsePattern compiles a format for a data type; false means Zoho's INVALID_FORMAT. Zoho's list of allowed patterns
// is not readable; this accepts whatever the letters above compose.
func parsePattern(dataType, format string) (*pattern, bool) {
	switch dataType {
	case "date", "datetime":
		layout, ok := goLayout(format)
		return &pattern{layout: layout, offset: strings.Contains(layout, "07") || strings.Contains(layout, "MST")}, ok
	case "double", "currency", "percent", "integer", "bigint":
		return numberPattern(format)
	}
	return nil, false
}

func goLayout(format string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		switch {
		case c == '\'':
			end := strings.IndexByte(format[i+1:], '\'')
			if end < 0 {
				return "", false
			}
			b.WriteString(format[i+1 : i+1+end])
			i += end + 2
		case isLetter(c):
			j := i
			for j < len(format) && format[j] == c {
				j++
			}
			layout, ok := javaLetters[format[i:j]]
			if !ok {
				return "", false
			}
			b.WriteString(layout)
			i = j
		case c >= '0' && c <= '9':
			return "", false
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), b.Len() > 0
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// numberPattern reads patterns such as #,##0.00 or #.##0,00 for their separators.
func numberPattern(format string) (*pattern, bool) {
	if format == "" || strings.Trim(format, "#0,. ") != "" {
		return nil, false
	}
	p := &pattern{number: true, group: ",", point: "."}
	if strings.LastIndexByte(format, ',') > strings.LastIndexByte(format, '.') && strings.Contains(format, ".") {
		p.group, p.point = ".", ","
	}
	return p, true
}
