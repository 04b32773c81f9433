package conformance

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"time"
)

// Report is the outcome of an examination.
type Report struct {
	// Connector names what was examined; empty when it gave no manifest.
	Connector string
	// Started and Took say when, and how long.
	Started time.Time
	Took    time.Duration
	// Findings has one entry for each law, by id.
	Findings []Finding
}

// Count returns the number of findings with a verdict.
func (r Report) Count(verdict Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == verdict {
			n++
		}
	}
	return n
}

// Broken returns the ids of the laws that are broken.
func (r Report) Broken() []string {
	var ids []string
	for _, f := range r.Findings {
		if f.Verdict == Broken {
			ids = append(ids, f.Law.ID)
		}
	}
	return ids
}

// WriteText writes the report for people, one line for each law.
func (r Report) WriteText(w io.Writer) error {
	area := Area("")
	for _, f := range r.Findings {
		if f.Law.Area != area {
			area = f.Law.Area
			if _, err := fmt.Fprintf(w, "%s\n", area); err != nil {
				return err
			}
		}
		mark := map[Verdict]string{Held: "ok     ", Broken: "BROKEN ", Skipped: "skipped"}[f.Verdict]
		line := fmt.Sprintf("  %s %s  %s", mark, f.Law.ID, f.Law.Sentence)
		if f.Reason != "" {
			line += "\n                 " + f.Reason
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %d laws held, %d broken, %d skipped\n", orUnknown(r.Connector), r.Count(Held), r.Count(Broken), r.Count(Skipped))
	return err
}

func orUnknown(name string) string {
	if name == "" {
		return "the connector"
	}
	return name
}

type jsonReport struct {
	Connector string        `json:"connector"`
	Started   time.Time     `json:"started"`
	Seconds   float64       `json:"seconds"`
	Held      int           `json:"held"`
	Broken    int           `json:"broken"`
	Skipped   int           `json:"skipped"`
	Findings  []jsonFinding `json:"findings"`
}

type jsonFinding struct {
	Law      string  `json:"law"`
	Area     Area    `json:"area"`
	Sentence string  `json:"sentence"`
	Verdict  Verdict `json:"verdict"`
	Reason   string  `json:"reason,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// WriteJSON writes the report for programs.
func (r Report) WriteJSON(w io.Writer) error {
	out := jsonReport{
		Connector: r.Connector, Started: r.Started.UTC(), Seconds: r.Took.Seconds(),
		Held: r.Count(Held), Broken: r.Count(Broken), Skipped: r.Count(Skipped), Findings: []jsonFinding{},
	}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, jsonFinding{
			Law: f.Law.ID, Area: f.Law.Area, Sentence: f.Law.Sentence, Verdict: f.Verdict, Reason: f.Reason, Seconds: f.Took.Seconds(),
		})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(out)
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the report as JUnit XML, which continuous integration reads.
func (r Report) WriteJUnit(w io.Writer) error {
	suite := junitSuite{
		Name: orUnknown(r.Connector), Tests: len(r.Findings), Failures: r.Count(Broken), Skipped: r.Count(Skipped), Time: seconds(r.Took),
	}
	for _, f := range r.Findings {
		c := junitCase{Class: string(f.Law.Area), Name: f.Law.ID + " " + f.Law.Sentence, Time: seconds(f.Took)}
		switch f.Verdict {
		case Broken:
			c.Failure = &junitMessage{f.Reason}
		case Skipped:
			c.Skipped = &junitMessage{f.Reason}
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
