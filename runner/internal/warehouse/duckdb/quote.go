package duckdb

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// quote writes a name so that SQL takes it as that name and nothing else.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal writes a text so that SQL takes it as that text and nothing else.
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// qualified quotes each part of a name like a.b."c.d"; parts may be quoted.
func qualified(name string) (string, error) {
	parts, err := nameParts(name)
	if err != nil {
		return "", err
	}
	for i, p := range parts {
		parts[i] = quote(p)
	}
	return strings.Join(parts, "."), nil
}

// nameParts takes a possibly qualified, possibly quoted name apart.
func nameParts(name string) ([]string, error) {
	bad := fmt.Errorf("%q is not a table name: write name, schema.name or catalog.schema.name, with double quotes around a part that contains a dot", name)
	var parts []string
	for rest := strings.TrimSpace(name); ; {
		part, after, ok := namePart(rest)
		if !ok || part == "" {
			return nil, bad
		}
		parts = append(parts, part)
		if after == "" {
			break
		}
		if after[0] != '.' {
			return nil, bad
		}
		rest = after[1:]
	}
	if len(parts) > 3 {
		return nil, bad
	}
	return parts, nil
}

// namePart takes the first part off a qualified name.
func namePart(s string) (part, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		if i := strings.IndexByte(s, '.'); i >= 0 {
			return s[:i], s[i:], true
		}
		return s, "", true
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '"' {
			b.WriteByte('"')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

var syncName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// checkSync refuses a sync id that could not name tables apart from another's.
func checkSync(syncID string) error {
	if !syncName.MatchString(syncID) {
		return connector.Errorf(connector.ClassConfig, "SYNC_ID", "%q is not the id of a sync: use lower-case letters, digits, hyphens and underscores", syncID)
	}
	return nil
}

func stateTable(syncID string) string  { return "sluice." + quote("state_"+syncID) }
func outboxTable(syncID string) string { return "sluice." + quote("outbox_"+syncID) }
