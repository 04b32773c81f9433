package plugin

import "github.com/sluiceio/sluice/connector"

// Outcomes are sent in messages of at most so many records, and of about so
// many bytes, to stay far below the bound of a message.
const (
	outcomeRows  = 10_000
	outcomeBytes = 2 << 20
)

// splitOutcomes cuts outcomes into parts of bounded size.
func splitOutcomes(o connector.Outcomes) []connector.Outcomes {
	var parts []connector.Outcomes
	next := 0 // exception
	for from := 0; from < len(o.Seqs); {
		to, bytes := from, 0
		var part connector.Outcomes
		for to < len(o.Seqs) && to-from < outcomeRows && bytes < outcomeBytes {
			if len(o.AppIdentifiers) > 0 {
				bytes += len(o.AppIdentifiers[to])
			}
			if next < len(o.Exceptions) && o.Exceptions[next].Row == to {
				e := o.Exceptions[next]
				e.Row = to - from
				part.Exceptions = append(part.Exceptions, e)
				bytes += textOf(e)
				next++
			}
			to++
		}
		part.Seqs = o.Seqs[from:to]
		if len(o.AppIdentifiers) > 0 {
			part.AppIdentifiers = o.AppIdentifiers[from:to]
		}
		parts = append(parts, part)
		from = to
	}
	if next < len(o.Exceptions) { // out of order or out of range: let the converter say so
		return []connector.Outcomes{o}
	}
	return parts
}

// textOf is about the size of a row's outcome in a message.
func textOf(o connector.RowOutcome) int {
	n := len(o.Detail) + 64
	if e := o.Error; e != nil {
		n += len(e.Code) + len(e.Message) + 64
		for _, f := range e.Fields {
			n += len(f.Field) + len(f.Description) + 8
		}
		for _, h := range e.Help {
			n += len(h.Description) + len(h.URL) + 8
		}
	}
	return n
}
