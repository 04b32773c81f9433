package connectortest

import (
	"testing"

	"github.com/sluiceio/sluice/connector/conformance"
)

// Harness is an examination of one connector.
type Harness struct {
	// Subject is what is examined.
	Subject conformance.Subject
	// Options adjust how long the examination waits.
	Options conformance.Options
	// Known lists laws that are known to be broken, by id, each with the
	// reason. A known breach does not fail the test; one that is gone does.
	Known map[string]string
}

// Run examines a connector; every law is a subtest named by its id. A law that
// cannot be judged is a skipped subtest.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, f := range conformance.Check(t.Context(), h.Subject, h.Options).Findings {
		t.Run(f.Law.ID, func(t *testing.T) {
			known, isKnown := h.Known[f.Law.ID]
			switch {
			case isKnown && f.Verdict == conformance.Broken:
				t.Skipf("known: %s (%s)", known, f.Reason)
			case isKnown:
				t.Errorf("%s is %s: it is no longer broken, so take it off the list of what is known (%s)", f.Law.ID, f.Verdict, known)
			case f.Verdict == conformance.Broken:
				t.Errorf("%s\n%s", f.Law.Sentence, f.Reason)
			case f.Verdict == conformance.Skipped:
				t.Skip(f.Reason)
			}
		})
	}
}
