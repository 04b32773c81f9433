package conformance_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/sluiceio/sluice/connector/conformance"
)

// The contract's page says which laws try which of its rules: all of them exist,
// and a rule has its number once.
func TestTheContractNamesLawsThatExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../proto/README.md")
	if err != nil {
		t.Fatal(err)
	}
	laws := map[string]bool{}
	for _, law := range conformance.Laws() {
		laws[law.ID] = true
	}
	rules := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^- \*\*(C-\d{3})\*\*`).FindAllStringSubmatch(string(text), -1) {
		if rules[match[1]] {
			t.Errorf("rule %s is there twice", match[1])
		}
		rules[match[1]] = true
	}
	rows := regexp.MustCompile(`(C-\d{3}) \| ((?:L-\d{3}(?:, )?)+)`).FindAllStringSubmatch(string(text), -1)
	if len(rows) < 25 || len(rules) < 60 {
		t.Fatalf("%d rules and %d rows were found", len(rules), len(rows))
	}
	for _, row := range rows {
		if !rules[row[1]] {
			t.Errorf("there is no rule %s", row[1])
		}
		for _, law := range regexp.MustCompile(`L-\d{3}`).FindAllString(row[2], -1) {
			if !laws[law] {
				t.Errorf("rule %s is tried by law %s, which does not exist", row[1], law)
			}
		}
	}
}
