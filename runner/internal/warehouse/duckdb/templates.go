package duckdb

import (
	"embed"
	"strings"
	"text/template"
	"time"
)

//go:embed sql
var sqlFiles embed.FS

// statements holds the SQL templates by file name.
var statements = template.Must(template.ParseFS(sqlFiles, "sql/*.sql"))

// render fills in a template. The data holds SQL: names and values are quoted
// before they get here.
func render(name string, data any) string {
	var b strings.Builder
	if err := statements.ExecuteTemplate(&b, name, data); err != nil {
		panic("duckdb: template " + name + ": " + err.Error()) // a defect found by any test that renders it
	}
	return b.String()
}

// instant writes a time as a SQL value, to the microsecond.
func instant(t time.Time) string {
	return "TIMESTAMPTZ " + literal(t.UTC().Format("2006-01-02 15:04:05.000000+00"))
}
