package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner"
)

// queryMemory is what a query may use by default: more than a run needs, since a
// person waits for it and nothing else has to share the machine.
const queryMemory = "1GB"

func queryCommand(a *app) *cobra.Command {
	var asCSV bool
	cmd := &cobra.Command{
		Use: "query SQL", Short: "Ask the warehouse; --json writes one object a line, --csv a CSV file", Args: takes(1, 1),
		Long: `Ask the warehouse in SQL, or change it. DuckDB may use 1 GB of memory, and all
processors; what does not fit is spilled to disk. A run makes do with 96 MB, more
where it must, and one processor. $SLUICE_WAREHOUSE_MEMORY (such as 4GB) and
$SLUICE_WAREHOUSE_THREADS set both.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if asCSV && a.json {
				return usagef("give either --json or --csv")
			}
			return a.withWarehouseOf(cmd.Context(), queryMemory, runtime.GOMAXPROCS(0), func(w runner.Warehouse) error {
				return a.query(cmd.Context(), w, args[0], asCSV)
			})
		},
	}
	cmd.Flags().BoolVar(&asCSV, "csv", false, "write CSV with a heading; NULL is empty")
	return cmd
}

func (a *app) query(ctx context.Context, w runner.Warehouse, sql string, asCSV bool) error {
	rows, err := w.Query(ctx, sql)
	if err != nil {
		return usagef("%v", err)
	}
	switch {
	case a.json:
		return a.queryJSON(rows)
	case asCSV:
		return a.queryCSV(rows)
	}
	t := a.openTable(columnNames(rows))
	defer t.close()
	for row, err := range rows.All {
		if err != nil {
			return usagef("%v", err)
		}
		t.row(cells(row, "NULL"))
	}
	return nil
}

// queryJSON writes values as text, so that no digit is lost; null as null.
func (a *app) queryJSON(rows runner.Rows) error {
	encoder := json.NewEncoder(a.env.Stdout)
	encoder.SetEscapeHTML(false)
	for row, err := range rows.All {
		if err != nil {
			return usagef("%v", err)
		}
		object := make(map[string]*string, len(rows.Columns))
		for i, column := range rows.Columns {
			if object[column.Name] = nil; !row.Null[i] {
				object[column.Name] = &row.Texts[i]
			}
		}
		if err := encoder.Encode(object); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) queryCSV(rows runner.Rows) error {
	w := csv.NewWriter(a.env.Stdout)
	if err := w.Write(columnNames(rows)); err != nil {
		return err
	}
	for row, err := range rows.All {
		if err != nil {
			return usagef("%v", err)
		}
		if err := w.Write(cells(row, "")); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func columnNames(rows runner.Rows) []string {
	names := make([]string, len(rows.Columns))
	for i, c := range rows.Columns {
		names[i] = c.Name
	}
	return names
}

// cells copies a row, whose slices are valid until the next one.
func cells(row runner.Row, null string) []string {
	texts := make([]string, len(row.Texts))
	for i, text := range row.Texts {
		if texts[i] = text; row.Null[i] {
			texts[i] = null
		}
	}
	return texts
}
