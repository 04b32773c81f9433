package conformance

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/sluiceio/sluice/connector"
)

var (
	decimalText   = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)$`)
	timeText      = regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?$`)
	timestampText = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2}(?:\.\d+)?)$`)
)

// canonical reports whether a text is how values of a kind are written.
func canonical(kind connector.Kind, text string) bool {
	var err error
	switch kind {
	case connector.KindString:
		return utf8.ValidString(text)
	case connector.KindInt64:
		_, err = strconv.ParseInt(text, 10, 64)
	case connector.KindDecimal:
		return decimalText.MatchString(text)
	case connector.KindFloat64:
		if text == "NaN" || text == "Infinity" || text == "-Infinity" {
			return true
		}
		_, err = strconv.ParseFloat(text, 64)
	case connector.KindBool:
		return text == "true" || text == "false"
	case connector.KindDate:
		_, err = time.Parse(time.DateOnly, text)
	case connector.KindTime:
		return timeText.MatchString(text)
	case connector.KindTimestamp:
		parts := timestampText.FindStringSubmatch(text)
		return parts != nil && canonical(connector.KindDate, parts[1]) && canonical(connector.KindTime, parts[2])
	case connector.KindTimestampTZ:
		_, err = time.Parse(time.RFC3339Nano, text)
	case connector.KindJSON:
		return json.Valid([]byte(text))
	case connector.KindBytes:
		_, err = base64.StdEncoding.Strict().DecodeString(text)
	default:
		return false
	}
	return err == nil
}
