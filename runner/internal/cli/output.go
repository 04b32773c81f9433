package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// result writes a result: as JSON when asked for, in words otherwise.
func (a *app) result(shape any, words func()) error {
	if !a.json {
		words()
		return nil
	}
	encoder := json.NewEncoder(a.env.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(shape)
}

// say writes a line of the result.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.env.Stdout, format+"\n", args...)
}

// table writes rows under a heading, in columns.
func (a *app) table(heading []string, rows [][]string) {
	t := a.openTable(heading)
	for _, row := range rows {
		t.row(row)
	}
	t.close()
}

// alignedRows is how many rows of a table are aligned with each other: a table
// of any length is written in constant memory.
const alignedRows = 500

// table is a table that is written row by row.
type table struct {
	w    *tabwriter.Writer
	rows int
}

func (a *app) openTable(heading []string) *table {
	t := &table{w: tabwriter.NewWriter(a.env.Stdout, 0, 0, 2, ' ', 0)}
	fmt.Fprintln(t.w, strings.Join(heading, "\t"))
	return t
}

func (t *table) row(cells []string) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		fmt.Fprint(t.w, oneLine(cell))
	}
	fmt.Fprintln(t.w)
	if t.rows++; t.rows%alignedRows == 0 {
		t.close()
	}
}

func (t *table) close() { _ = t.w.Flush() } // who closes stdout does not want the rest

// list writes a JSON list element by element.
type list struct {
	app *app
	n   int
}

func (l *list) add(shape any) error {
	separator := ",\n  "
	if l.n++; l.n == 1 {
		separator = "[\n  "
	}
	text, err := json.Marshal(shape)
	if err == nil {
		_, err = fmt.Fprintf(l.app.env.Stdout, "%s%s", separator, text)
	}
	return err
}

func (l *list) close() {
	if l.n == 0 {
		l.app.say("[]")
		return
	}
	l.app.say("\n]")
}

// oneLine keeps a text from breaking a table.
func oneLine(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ", "\r", " ").Replace(text)
}

// when writes an instant for people, in local time.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
