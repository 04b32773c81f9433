package template

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// aRow is a row with a column of every kind.
var aRow = []struct {
	name string
	kind connector.Kind
	text string
	null bool
}{
	{"name", connector.KindString, `Ada "the first" <Lovelace>`, false},
	{"empty", connector.KindString, "", false},
	{"nothing", connector.KindString, "", true},
	{"size", connector.KindInt64, "", true},
	{"id", connector.KindInt64, "9223372036854775807", false},
	{"amount", connector.KindDecimal, "1234567890123456789.10", false},
	{"rate", connector.KindFloat64, "0.5", false},
	{"active", connector.KindBool, "false", false},
	{"day", connector.KindDate, "2026-01-31", false},
	{"at", connector.KindTimestampTZ, "2026-01-31T12:00:00Z", false},
	{"order", connector.KindJSON, `{"id": 9007199254740993, "items": [{"sku": "A"}, {"sku": "B"}], "paid": true}`, false},
	{"größe", connector.KindString, "L", false},
}

func render(t *testing.T, text string) (string, error) {
	t.Helper()
	parsed, err := New().Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var columns []connector.Column
	var row runner.Row
	for _, c := range aRow {
		if slices.Contains(parsed.Columns(), c.name) {
			columns = append(columns, connector.Column{Name: c.name, Type: connector.Type{Kind: c.kind}})
			row.Texts, row.Null = append(row.Texts, c.text), append(row.Null, c.null)
		}
	}
	return parsed.Render(t.Context(), columns, row, 1000)
}

func TestRowsBecomeTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"no names":                             "no names",
		"{{ name }}":                           `Ada "the first" <Lovelace>`,
		"{{name}}|{{- name -}} |":              `Ada "the first" <Lovelace>|Ada "the first" <Lovelace>|`,
		"[{{ empty }}{{ nothing }}{{ size }}]": "[]",
		"{{ id }}":                             "9223372036854775807",
		"{{ amount }}":                         "1234567890123456789.10",
		"{{ at }}":                             "2026-01-31T12:00:00Z",
		"{{ at | date: \"%d.%m.%Y %H:%M\" }}":  "31.01.2026 12:00",
		"{{ day | date: '%b %-d' }}":           "Jan 31",
		"{{ name | upcase | truncate: 6 }}":    "ADA...",
		"{{ nothing | default: 'none' }}":      "none",
		"{{ rate | times: 4 }}":                "2",
		"{% if amount > 100 %}big{% endif %}":  "big",
		"{% if rate < 1 and active == false %}yes{% else %}no{% endif %}":                    "yes",
		"{% if active %}on{% else %}off{% endif %}":                                          "off",
		"{% unless nothing %}null is false{% endunless %}":                                   "null is false",
		"{% if nothing == nil %}nil{% endif %}{% if empty == nil %}not{% endif %}":           "nil",
		"{{ order.id }} {{ order.items[1].sku }} {{ order.items | map: 'sku' | join: '+' }}": "9007199254740993 B A+B",
		"{% for item in order.items %}{{ forloop.index }}{{ item.sku }}{% endfor %}":         "1A2B",
		"{{ order }}": `{"id": 9007199254740993, "items": [{"sku": "A"}, {"sku": "B"}], "paid": true}`,
		"{{ größe }}": "L",
		"{% assign name = name | downcase | slice: 0, 3 %}{{ name }}":   "ada",
		"{% capture c %}<{{ rate }}>{% endcapture %}{{ c }}{{ c }}":     "<0.5><0.5>",
		"{% raw %}{{ name }}{% endraw %}":                               "{{ name }}",
		"{% comment %}{{ nobody }}{% endcomment %}x":                    "x",
		"{% for i in (1..3) %}{{ i }}{% endfor %}":                      "123",
		"{% case rate %}{% when 0.5 %}half{% else %}other{% endcase %}": "half",
		`{{ name | replace: "\"", "'" }}`:                               "Ada 'the first' <Lovelace>",
		"{{ \"name\" }}{{ 'rate' }}":                                    "namerate",
	} {
		if got, err := render(t, text); err != nil || got != want {
			t.Errorf("%s\nis %q, %v\nwant %q", text, got, err, want)
		}
	}
}

func TestTemplatesNameColumns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"none":                               {},
		"{{ a }} {{ b.c[d].e }} {{ a }}":     {"a", "b", "d"},
		"{{ a | plus: b | append: 'c', d }}": {"a", "b", "d"},
		"{% if a and b or c contains 'd' %}{{ e }}{% elsif f == g %}{% else %}{{ h }}{% endif %}": {"a", "b", "c", "e", "f", "g", "h"},
		"{% for a in b limit: c offset: d reversed %}{{ a.e }}{{ f }}{% endfor %}":                {"b", "c", "d", "f"},
		"{% assign a = b %}{{ a }}{% capture c %}{{ d }}{% endcapture %}{{ c }}":                  {"b", "d"},
		"{{ a }}{% assign a = a | upcase %}":                                                      {"a"},
		"{% case a %}{% when b, 'c' %}{{ d }}{% endcase %}":                                       {"a", "b", "d"},
		"{{ a | default: b, allow_false: true }}":                                                 {"a", "b"},
		"{{ a-b }}{{ c_d }}{{ e? }}":                                                              {"a-b", "c_d", "e?"},
	} {
		parsed, err := New().Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := parsed.Columns(); !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%s names %q, want %q", text, got, want)
		}
	}
}

func TestTemplatesThatAreWrong(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Hello {{ name":                              "line 1: a {{ is not closed",
		"one\ntwo {% if a":                           "line 2: a {% is not closed",
		"one\n{{ name | shout }}":                    `line 2: there is no filter "shout"; there are abs,`,
		"{% if a %}{{ b | shout }}{% endif %}":       `there is no filter "shout"`,
		"one\n{% if a %}":                            "(line 2)",
		"{% include 'secrets' %}":                    "include",
		"{% render 'secrets' %}":                     "render",
		"{% frobnicate %}":                           "frobnicate",
		"{{ a b }}":                                  "it is no Liquid",
		"{% for i in (1..n) %}{% endfor %}":          "two whole numbers",
		"{% for i in (1..1000000000) %}{% endfor %}": "two whole numbers",
		"{% assign a = b..c %}":                      "two whole numbers",
		"{{ sluice_text }}":                          "is taken",
	} {
		if _, err := New().Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis refused with %v\nwant %q", text, err, want)
		}
	}
}

func TestRowsThatCannotBeRendered(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"one\n{{ id | divided_by: 0 }}":                                                                  "line 2: ",
		"{% for i in (1..9999) %}{{ name }}{% endfor %}":                                                 runner.ErrTextTooLarge.Error(),
		"{{ name | append: name | append: name }}{% for i in (1..30) %}{{ name }}{% endfor %}{{ name }}": "", // fits
	} {
		got, err := render(t, text)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", text, err, want)
		case err != nil && (got != "" || strings.Contains(err.Error(), "Lovelace")):
			t.Errorf("%s: a text of %d bytes came with %v", text, len(got), err)
		}
	}
}

func TestErrorsDoNotRepeatTheRow(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"{{ 7 | divided_by: name }}", "{{ name | slice: name }}", "{{ order.items | sort: name }}", "{{ rate | round: name }}", "{{ name | modulo: name }}"} {
		if _, err := render(t, text); err != nil && strings.Contains(err.Error(), "Lovelace") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestRenderingObeysItsContext(t *testing.T) {
	t.Parallel()
	parsed, err := New().Parse("{{ name }}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	columns := []connector.Column{{Name: "name", Type: connector.Type{Kind: connector.KindString}}}
	if _, err := parsed.Render(ctx, columns, runner.Row{Texts: []string{"x"}, Null: []bool{false}}, 10); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

// FuzzTemplates: whatever the template and the row, there is a text or an error,
// and a text keeps its bound.
func FuzzTemplates(f *testing.F) {
	for _, seed := range []string{"{{ a }}", "{% if a == b %}{{ a | upcase }}{% endif %}", "{% for x in a %}{{ x }}{% endfor %}", "{% assign a = a | split: ',' %}{{ a[0] }}", "{% raw %}{{", "{{- a -}}"} {
		f.Add(seed, "1,2", true)
	}
	l := New()
	f.Fuzz(func(t *testing.T, text, value string, null bool) {
		parsed, err := l.Parse(text)
		if err != nil {
			return
		}
		var columns []connector.Column
		var row runner.Row
		for i, name := range parsed.Columns() {
			kinds := []connector.Kind{connector.KindString, connector.KindJSON, connector.KindInt64, connector.KindDecimal}
			columns = append(columns, connector.Column{Name: name, Type: connector.Type{Kind: kinds[i%len(kinds)]}})
			row.Texts, row.Null = append(row.Texts, value), append(row.Null, null && i > 0)
		}
		got, err := parsed.Render(t.Context(), columns, row, 100)
		if len(got) > 100 || err != nil && got != "" {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}
