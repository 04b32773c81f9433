package main

import (
	"fmt"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// fields are the ten columns of the source, and the fields of Zoho's Accounts
// they are mapped to. A record has about 230 bytes.
var fields = []struct {
	column, field string
	// expression makes the value of record i in DuckDB, text here.
	expression string
	text       func(i int) string
}{
	{"id", "External_Key", "'C' || lpad(i::VARCHAR, 9, '0')", func(i int) string { return fmt.Sprintf("C%09d", i) }},
	{"name", "Account_Name", "'Company ' || i || ' & Söhne, ' || ['Berlin', 'Łódź', '東京', 'Chennai'][i % 4 + 1]", func(i int) string {
		return fmt.Sprintf("Company %d & Söhne, %s", i, []string{"Berlin", "Łódź", "東京", "Chennai"}[i%4])
	}},
	{"website", "Website", "'https://company' || i || '.example.org/'", func(i int) string { return fmt.Sprintf("https://company%d.example.org/", i) }},
	{"phone", "Phone", "'+49 30 ' || lpad((i * 7919 % 10000000)::VARCHAR, 7, '0')", func(i int) string { return fmt.Sprintf("+49 30 %07d", i*7919%10000000) }},
	{"city", "Billing_City", "'City ' || i % 5000", func(i int) string { return fmt.Sprintf("City %d", i%5000) }},
	{"country", "Billing_Country", "'Country ' || i % 200", func(i int) string { return fmt.Sprintf("Country %d", i%200) }},
	{"street", "Billing_Street", "'Street ' || i * 31 % 90000 || ' No. ' || i % 300", func(i int) string { return fmt.Sprintf("Street %d No. %d", i*31%90000, i%300) }},
	{"employees", "Employees", "(i % 50000)::INTEGER", func(i int) string { return fmt.Sprint(i % 50000) }},
	{"revenue", "Annual_Revenue", "(i * 7919 % 100000000 / 100)::DECIMAL(16, 2)", func(i int) string {
		return fmt.Sprintf("%d.%02d", i*7919%100000000/100, i*7919%100)
	}},
	{"note", "Description", "CASE WHEN i % 3 > 0 THEN 'Said \"hello\", wants an offer for ' || i END", func(i int) string {
		if i%3 == 0 {
			return ""
		}
		return fmt.Sprintf("Said %q, wants an offer for %d", "hello", i)
	}},
}

// kinds are the logical types of the columns that are not text.
var kinds = map[string]connector.Type{
	"employees": {Kind: connector.KindInt64}, "revenue": {Kind: connector.KindDecimal, Precision: 16, Scale: 2},
}

// sourceSQL makes a table of n records.
func sourceSQL(table string, n int64) string {
	var columns []string
	for _, f := range fields {
		columns = append(columns, f.expression+" AS "+f.column)
	}
	return fmt.Sprintf("CREATE TABLE %s AS SELECT %s FROM range(1, %d) t(i)", table, strings.Join(columns, ", "), n+1)
}

// sourceSchema describes the columns.
func sourceSchema(id string) *connector.Schema {
	s := &connector.Schema{ID: id}
	for _, f := range fields {
		t, ok := kinds[f.column]
		if !ok {
			t = connector.Type{Kind: connector.KindString}
		}
		s.Columns = append(s.Columns, connector.Column{Name: f.field, Type: t})
	}
	return s
}

// sourceBatch is a batch of records from first on, on their way out.
func sourceBatch(schema *connector.Schema, first, rows int) *connector.RecordBatch {
	b := &connector.RecordBatch{Schema: schema, Action: connector.ActionCreate, Rows: rows, Columns: make([]connector.Values, len(fields))}
	for i := first; i < first+rows; i++ {
		b.Seqs, b.Identifiers = append(b.Seqs, int64(i)), append(b.Identifiers, fields[0].text(i))
		for c, f := range fields {
			text := f.text(i)
			if text == "" {
				b.Columns[c].Nulls = append(b.Columns[c].Nulls, uint32(i-first))
			}
			b.Columns[c].Texts = append(b.Columns[c].Texts, text)
		}
	}
	return b
}

// textBytes is the size of all values of a batch.
func textBytes(b *connector.RecordBatch) (n int64) {
	for _, c := range b.Columns {
		for _, t := range c.Texts {
			n += int64(len(t))
		}
	}
	return n
}
