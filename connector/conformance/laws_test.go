package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/conformance"
)

var update = flag.Bool("update", false, "rewrite LAWS.md")

// document lists the laws for people.
func document() string {
	var b strings.Builder
	laws := conformance.Laws()
	fmt.Fprintf(&b, "# The laws of a connector\n\nThe %d laws that package conformance and `sluice verify` judge a connector by. The ids never change\nmeaning. Written by `go test ./connector/conformance -update`.\n", len(laws))
	area := conformance.Area("")
	for _, l := range laws {
		if l.Area != area {
			area = l.Area
			fmt.Fprintf(&b, "\n## %s\n\n", strings.ToUpper(string(area[:1]))+string(area[1:]))
		}
		fmt.Fprintf(&b, "- <a id=\"%s\"></a>**%s** %s\n", strings.ToLower(l.ID), l.ID, l.Sentence)
	}
	return b.String()
}

func TestTheDocumentListsTheLaws(t *testing.T) {
	t.Parallel()
	want := document()
	if *update {
		if err := os.WriteFile("LAWS.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("LAWS.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("LAWS.md is not what the laws say; run: go test ./connector/conformance -update\n%s", diff)
	}
}

func TestLawsHaveIDsAndSentences(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^L-\d{3}$`)
	last := ""
	for _, l := range conformance.Laws() {
		if !form.MatchString(l.ID) || l.ID <= last {
			t.Errorf("the id %q is no id, or not greater than %q", l.ID, last)
		}
		if !strings.HasSuffix(l.Sentence, ".") || l.Area == "" {
			t.Errorf("%s: %q is no sentence, or has no area", l.ID, l.Sentence)
		}
		last = l.ID
	}
}

func report() conformance.Report {
	law := conformance.Law{ID: "L-001", Area: conformance.AreaManifest, Sentence: "It <works>."}
	return conformance.Report{
		Connector: "acme 1.0.0", Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 1500 * time.Millisecond,
		Findings: []conformance.Finding{
			{Law: law, Verdict: conformance.Held},
			{Law: law, Verdict: conformance.Broken, Reason: `it is "broken" & bent`},
			{Law: law, Verdict: conformance.Skipped, Reason: "nobody knows"},
		},
	}
}

func TestReportsAreReadByWhatTheyAreMadeFor(t *testing.T) {
	t.Parallel()
	var text, object, junit bytes.Buffer
	r := report()
	for _, err := range []error{r.WriteText(&text), r.WriteJSON(&object), r.WriteJUnit(&junit)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"BROKEN  L-001  It <works>.", "\n                 nobody knows", "acme 1.0.0: 1 laws held, 1 broken, 1 skipped\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
	var o struct {
		Broken   int
		Findings []struct{ Law, Verdict, Reason string }
	}
	if err := json.Unmarshal(object.Bytes(), &o); err != nil || o.Broken != 1 || len(o.Findings) != 3 || o.Findings[1].Reason != `it is "broken" & bent` {
		t.Errorf("JSON: %v, %+v", err, o)
	}
	var suite struct {
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string `xml:"name,attr"`
			Failure *struct {
				Message string `xml:"message,attr"`
			} `xml:"failure"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(junit.Bytes(), &suite); err != nil {
		t.Fatal(err)
	}
	if len(suite.Cases) != 3 || suite.Failures != 1 || suite.Cases[1].Failure == nil || suite.Cases[1].Failure.Message != `it is "broken" & bent` ||
		suite.Cases[0].Name != "L-001 It <works>." || suite.Cases[2].Skipped == nil || suite.Cases[0].Failure != nil {
		t.Errorf("JUnit: %+v", suite)
	}
}

func TestAnUnopenableConnectorBreaksOneLaw(t *testing.T) {
	t.Parallel()
	subject := conformance.Subject{Open: unopenable}
	r := conformance.Check(t.Context(), subject, conformance.Options{})
	if diff := cmp.Diff([]string{"L-001"}, r.Broken()); diff != "" {
		t.Error(diff)
	}
	for _, f := range r.Findings {
		if f.Verdict == conformance.Skipped && f.Reason == "" {
			t.Errorf("%s is skipped without a reason", f.Law.ID)
		}
	}
}
func unopenable(context.Context) (connector.Connector, func(), error) {
	return nil, nil, errors.New("the door is stuck")
}
