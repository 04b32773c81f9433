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

// joined is one batch of the rows of several, which have the same schema and
// action. What they hold is copied once, into slices that are as long as they need
// to be.
func joined(batches []*RecordBatch) *RecordBatch {
	if len(batches) == 1 {
		return batches[0]
	}
	all := *batches[0]
	all.Rows = 0
	known := false // an identifier of the app's
	for _, b := range batches {
		all.Rows += b.Rows
		known = known || len(b.AppIdentifiers) > 0
	}
	all.Seqs = gather(batches, all.Rows, func(b *RecordBatch) []int64 { return b.Seqs })
	all.Identifiers = gather(batches, all.Rows, func(b *RecordBatch) []string { return b.Identifiers })
	if known {
		all.AppIdentifiers = make([]string, 0, all.Rows)
		for _, b := range batches {
			all.AppIdentifiers = append(all.AppIdentifiers, b.AppIdentifiers...)
			all.AppIdentifiers = append(all.AppIdentifiers, make([]string, b.Rows-len(b.AppIdentifiers))...)
		}
	}
	all.Columns = make([]Values, len(batches[0].Columns))
	for i := range all.Columns {
		all.Columns[i].Texts = gather(batches, all.Rows, func(b *RecordBatch) []string { return b.Columns[i].Texts })
		first := uint32(0)
		for _, b := range batches {
			for _, n := range b.Columns[i].Nulls {
				all.Columns[i].Nulls = append(all.Columns[i].Nulls, first+n)
			}
			first += uint32(b.Rows)
		}
	}
	return &all
}

// gather is one part of all batches, n long at most.
func gather[T any](batches []*RecordBatch, n int, of func(*RecordBatch) []T) []T {
	all := make([]T, 0, n)
	for _, b := range batches {
		all = append(all, of(b)...)
	}
	return all
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
