package connector

// Slice returns the rows from (included) to to (excluded) as a batch that shares
// the texts with this one. It panics when they are out of range.
func (b *RecordBatch) Slice(from, to int) *RecordBatch {
	part := *b
	part.Rows = to - from
	part.Seqs, part.Identifiers = cut(b.Seqs, from, to), cut(b.Identifiers, from, to)
	part.AppIdentifiers = cut(b.AppIdentifiers, from, to)
	part.Columns = make([]Values, len(b.Columns))
	for i, v := range b.Columns {
		part.Columns[i].Texts = cut(v.Texts, from, to)
		for _, n := range v.Nulls {
			if int(n) >= from && int(n) < to {
				part.Columns[i].Nulls = append(part.Columns[i].Nulls, n-uint32(from))
			}
		}
	}
	return &part
}

// cut is all[from:to] that cannot grow into its neighbour; nil stays nil.
func cut[T any](all []T, from, to int) []T {
	if len(all) == 0 {
		return nil
	}
	return all[from:to:to]
}

// extend appends the rows of more, which has the same schema and action.
func (b *RecordBatch) extend(more *RecordBatch) {
	b.Seqs = append(b.Seqs, more.Seqs...)
	b.Identifiers = append(b.Identifiers, more.Identifiers...)
	if len(b.AppIdentifiers) > 0 || len(more.AppIdentifiers) > 0 {
		b.AppIdentifiers = append(b.AppIdentifiers, make([]string, b.Rows-len(b.AppIdentifiers))...)
		b.AppIdentifiers = append(b.AppIdentifiers, more.AppIdentifiers...)
		b.AppIdentifiers = append(b.AppIdentifiers, make([]string, b.Rows+more.Rows-len(b.AppIdentifiers))...)
	}
	for i := range b.Columns {
		b.Columns[i].Texts = append(b.Columns[i].Texts, more.Columns[i].Texts...)
		for _, n := range more.Columns[i].Nulls {
			b.Columns[i].Nulls = append(b.Columns[i].Nulls, n+uint32(b.Rows))
		}
	}
	b.Rows += more.Rows
}

// bytes is the size of the texts of some rows.
func (b *RecordBatch) bytes(from, to int) int64 {
	var n int64
	for _, v := range b.Columns {
		for _, t := range v.Texts[from:to] {
			n += int64(len(t))
		}
	}
	return n
}

// fit returns how many of the first rows fit into a number of rows and bytes,
// and their size.
func (b *RecordBatch) fit(rows int, bytes int64) (int, int64) {
	rows = min(rows, b.Rows)
	if size := b.bytes(0, rows); size <= bytes {
		return rows, size
	}
	var size int64
	for row := range rows {
		next := size + b.bytes(row, row+1)
		if next > bytes {
			return row, size
		}
		size = next
	}
	return rows, size
}
