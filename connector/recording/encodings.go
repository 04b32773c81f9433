package recording

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"time"
)

// shortest is the length from which a secret is looked for within texts. A
// shorter one is only recognised where it is a whole value: within texts it would
// be found by chance.
const shortest = 6

// encodings are the ways in which a secret may be written.
func encodings(secret string) []string {
	all := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret)}
	if quoted, err := json.Marshal(secret); err == nil {
		all = append(all, string(quoted[1:len(quoted)-1]), strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(string(quoted[1:len(quoted)-1])))
	}
	lower := hex.EncodeToString([]byte(secret))
	all = append(all, lower, strings.ToUpper(lower))
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		all = append(all, e.EncodeToString([]byte(secret)))
		for lead := range 3 {
			all = append(all, core(e, secret, lead))
		}
	}
	all = slices.DeleteFunc(all, func(text string) bool { return len(text) < shortest })
	slices.Sort(all)
	return slices.Compact(all)
}

// core is what base64 makes of a secret wherever it stands in a text, lead bytes
// after a boundary: the digits that no neighbour has a part in.
func core(e *base64.Encoding, secret string, lead int) string {
	whole := e.EncodeToString([]byte(strings.Repeat("\x00", lead) + secret))
	from, to := (lead*8+5)/6, (lead+len(secret))*8/6
	if to-from < 8 { // too little to tell from chance
		return ""
	}
	return whole[from:to]
}

// harmless reports whether a value that is kept among secrets is none: the
// moment at which one expires.
func harmless(value string) bool {
	_, err := time.Parse(time.RFC3339, value)
	return err == nil || strings.TrimSpace(value) == ""
}
