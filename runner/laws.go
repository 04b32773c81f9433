package runner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// Bounds on what a connector may say about one record, in bytes. The rest is
// cut off.
const (
	maxMessage = 4 << 10
	maxDetail  = 64 << 10
)

// defectCode marks errors that name a defect of the connector.
const defectCode = "BROKEN_CONTRACT"

// brokeContract reports whether an error is a defect of the connector, which
// another try would meet again: one found here, or by those who carry messages
// (proto/README.md lists their codes).
func brokeContract(err *connector.Error) bool {
	return err.Class == connector.ClassInternal &&
		slices.Contains([]string{defectCode, "CONTRACT", "UNKNOWN_SEQ", "UNSETTLED", "TICKET_ORDER", "STREAM_ENDED", "NOT_UTF8"}, err.Code)
}

// defect names a law of the contract that the connector broke.
func defect(format string, args ...any) *connector.Error {
	return connector.Errorf(connector.ClassInternal, defectCode, "the connector broke the contract: "+format, args...)
}

// wellFormed returns outcomes as the contract wants them, and what was wrong
// with them. What cannot be read with certainty becomes IN_DOUBT, never a success.
func wellFormed(o connector.Outcomes) (connector.Outcomes, []*connector.Error) {
	var defects []*connector.Error
	if n := len(o.AppIdentifiers); n != 0 && n != len(o.Seqs) {
		defects = append(defects, defect("it settled %d records with %d app identifiers; these are not used", len(o.Seqs), n))
		o.AppIdentifiers = nil
	}
	if len(o.AppIdentifiers) == 0 {
		o.AppIdentifiers = nil
	}
	o.AppIdentifiers = cleanTexts(o.AppIdentifiers)
	if bad := misplacedRow(o); bad != nil {
		o.Exceptions = allInDoubt(len(o.Seqs), bad)
		return o, append(defects, bad)
	}
	o.Exceptions = slices.Clone(o.Exceptions)
	for i := range o.Exceptions {
		if bad := mendException(&o.Exceptions[i]); bad != nil {
			defects = append(defects, bad)
		}
	}
	return o, defects
}

// misplacedRow finds exceptions that do not say for certain which row they mean.
func misplacedRow(o connector.Outcomes) *connector.Error {
	last := -1
	for _, x := range o.Exceptions {
		if x.Row <= last || x.Row >= len(o.Seqs) {
			return defect("it settled %d records with an exception for row %d after row %d, so which of them failed is not known", len(o.Seqs), x.Row, last)
		}
		last = x.Row
	}
	return nil
}

func allInDoubt(rows int, why *connector.Error) []connector.RowOutcome {
	exceptions := make([]connector.RowOutcome, rows)
	for i := range exceptions {
		exceptions[i] = connector.RowOutcome{Row: i, Status: connector.StatusInDoubt, Error: why}
	}
	return exceptions
}

// mendException makes one exception fit to be stored.
func mendException(x *connector.RowOutcome) (bad *connector.Error) {
	switch x.Status {
	case connector.StatusSucceeded:
	case connector.StatusRejected, connector.StatusRetry, connector.StatusDelayed, connector.StatusInvalid, connector.StatusInDoubt:
		if x.Error == nil {
			bad = defect("it gave a record the outcome %s without saying why", x.Status)
			x.Error = bad
		}
	default:
		bad = defect("it gave a record the outcome %q, which is not a connector's to give", clean(string(x.Status), 64))
		x.Status, x.Error = connector.StatusInDoubt, bad
	}
	x.Detail = clean(x.Detail, maxDetail)
	x.Error = cleanError(x.Error)
	return bad
}

// cleanError returns an error whose texts can be stored in any database.
func cleanError(e *connector.Error) *connector.Error {
	if e == nil || storable(e.Message, maxMessage) && storable(e.Code, 256) && fieldsStorable(e.Fields) {
		return e
	}
	c := *e
	c.Message, c.Code = clean(e.Message, maxMessage), clean(e.Code, 256)
	c.Fields = slices.Clone(e.Fields)
	for i := range c.Fields {
		c.Fields[i].Field = clean(c.Fields[i].Field, 256)
		c.Fields[i].Description = clean(c.Fields[i].Description, maxMessage)
	}
	return &c
}

func fieldsStorable(fields []connector.FieldViolation) bool {
	return !slices.ContainsFunc(fields, func(f connector.FieldViolation) bool {
		return !storable(f.Field, 256) || !storable(f.Description, maxMessage)
	})
}

func cleanTexts(texts []string) []string {
	cloned := false
	for i, text := range texts {
		if storable(text, maxMessage) {
			continue
		}
		if !cloned {
			texts, cloned = slices.Clone(texts), true
		}
		texts[i] = clean(text, maxMessage)
	}
	return texts
}

// storable reports whether a text is short enough, valid, and free of NUL, which
// PostgreSQL cannot store.
func storable(text string, limit int) bool {
	return len(text) <= limit && clean(text, limit) == text
}

func clean(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	text = strings.ToValidUTF8(text, "?")
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "?")
	}
	return text
}

// only returns the outcomes of the rows for which keep is true.
func only(o connector.Outcomes, keep func(row int) bool) connector.Outcomes {
	kept := connector.Outcomes{}
	next := 0
	for row, seq := range o.Seqs {
		for next < len(o.Exceptions) && o.Exceptions[next].Row < row {
			next++
		}
		if !keep(row) {
			continue
		}
		if next < len(o.Exceptions) && o.Exceptions[next].Row == row {
			x := o.Exceptions[next]
			x.Row = len(kept.Seqs)
			kept.Exceptions = append(kept.Exceptions, x)
		}
		kept.Seqs = append(kept.Seqs, seq)
		if o.AppIdentifiers != nil {
			kept.AppIdentifiers = append(kept.AppIdentifiers, o.AppIdentifiers[row])
		}
	}
	return kept
}

// ascending reports whether numbers strictly ascend.
func ascending(seqs []int64) bool {
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] {
			return false
		}
	}
	return true
}

// describeSeqs names some record numbers for a defect.
func describeSeqs(seqs []int64) string {
	if len(seqs) > 5 {
		return fmt.Sprintf("%v and %d more", seqs[:5], len(seqs)-5)
	}
	return fmt.Sprint(seqs)
}
