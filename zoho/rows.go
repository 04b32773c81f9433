package zoho

import (
	"context"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// tombstoneBatch is how many deleted records are reported at once.
const tombstoneBatch = 1000

// rows sends one page. The count Zoho promised must have arrived, or the cursor
// would pass a row that was not read.
func (g *reading) rows(ctx context.Context, job crm.BulkReadJob, rows *crm.Rows) error {
	if rows.Header() == nil {
		return g.complete(job, rows)
	}
	columns, readers, err := g.columns(rows)
	if err != nil {
		return err
	}
	if err := g.begin(columns); err != nil {
		return err
	}
	texts := make([]string, len(columns))
	null := func(i int) bool { return texts[i] == "" }
	idAt := rows.IDColumn()
	for row, err := range rows.All() {
		if err != nil {
			return err
		}
		for i, c := range readers {
			texts[i] = ""
			if cell := row[c.at]; cell != "" {
				texts[i] = c.read(cell)
			}
		}
		g.sent = true
		if err := g.out.Row(ctx, row[idAt], texts, null); err != nil {
			return err
		}
		g.done++
	}
	return g.complete(job, rows)
}

func (g *reading) complete(job crm.BulkReadJob, rows *crm.Rows) error {
	if rows.Count() != job.Count {
		return connector.Errorf(connector.ClassTransient, "ROWS_MISSING", "the result of bulk read job %s holds %d rows, Zoho promised %d", job.ID, rows.Count(), job.Count)
	}
	return nil
}

// isSent reports whether a field is sent: one may be asked for only because
// something must be.
func (g *reading) isSent(name string) bool {
	return len(g.chosen) == 0 || slices.Contains(g.chosen, name)
}

// cellReader reads the cells of one column of a file.
type cellReader struct {
	at   int
	read reader
}

// columns describes the columns to send, in the file's order.
func (g *reading) columns(rows *crm.Rows) ([]connector.Column, []cellReader, error) {
	header, idAt := rows.Header(), rows.IDColumn()
	if idAt < 0 {
		return nil, nil, connector.Errorf(connector.ClassInternal, "NO_ID_COLUMN", "the result for %s has no id column", g.module.APIName)
	}
	columns, readers := make([]connector.Column, 0, len(header)), make([]cellReader, 0, len(header))
	for i, name := range header {
		described, read := connector.Column{Name: name, Type: connector.Type{Kind: connector.KindString}}, func(cell string) string { return cell }
		known := slices.IndexFunc(g.fields, func(f crm.Field) bool { return f.APIName == name })
		switch {
		case i == idAt:
			described = idColumn
		case !g.isSent(name):
			continue
		case known >= 0:
			described, read = column(g.fields[known]), readerOf(g.fields[known], g.zone)
		}
		columns, readers = append(columns, described), append(readers, cellReader{i, read})
	}
	return columns, readers, nil
}

// deletedReach is how far back Zoho lists what went to the recycle bin.
const deletedReach = 60 * 24 * time.Hour

// deleted reports records deleted since the last read. Zoho lists what is in
// the recycle bin for 60 days and what is gone for good for 120
// (https://www.zoho.com/crm/developer/docs/api/v8/get-deleted-records.html).
func (g *reading) deleted(ctx context.Context, since time.Time) error {
	if since.IsZero() || !keepsDeleted(g.module) {
		return nil // nothing was read before, so nothing can be gone
	}
	batch := connector.Tombstones{Stream: g.module.APIName}
	flush := func() error {
		if len(batch.AppIdentifiers) == 0 {
			return nil
		}
		err := g.out.Delete(ctx, batch)
		batch = connector.Tombstones{Stream: g.module.APIName}
		return err
	}
	g.say("listing deleted records of " + g.module.APIName)
	if from := g.session.config.now().Add(-deletedReach); since.Before(from) {
		g.say("deletions in " + g.module.APIName + " from before " + from.UTC().Format(time.DateOnly) + " may be missing: Zoho lists them for 60 days; a full refresh finds them")
	}
	for d, err := range g.session.client.Deleted(ctx, g.module.APIName, crm.DeletedAll, since.Add(-g.overlap)) {
		if err != nil {
			return translate(err, "listing the deleted records of "+g.module.APIName)
		}
		batch.AppIdentifiers, batch.DeletedAt = append(batch.AppIdentifiers, d.ID), append(batch.DeletedAt, d.DeletedTime)
		if len(batch.AppIdentifiers) == tombstoneBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
