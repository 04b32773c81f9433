package zoho

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

var update = flag.Bool("update", false, "write the table of outcomes anew")

// TestWhatEveryCodeMeans compares, for each code Zoho is known to answer, what a
// call and a record that are refused with it come to, with the table that was
// last looked through. A call's class decides what becomes of its records; a
// record is either rejected or sent again.
func TestWhatEveryCodeMeans(t *testing.T) {
	t.Parallel()
	const path = "testdata/outcomes.txt"
	var b strings.Builder
	fmt.Fprintf(&b, "%-50s %-16s %-10s %-10s %s\n", "code", "class of a call", "its rows", "a row", "wait")
	for _, info := range crm.Codes() {
		e := translate(&crm.Error{Code: info.Code, Op: crm.OpRecordsUpsert, HTTPStatus: 400, CreditsRemaining: -1}, "writing")
		row, _ := refusalOf(info.Code)
		fmt.Fprintf(&b, "%-50s %-16s %-10s %-10s %s\n", info.Code, e.Class, connector.StatusFor(e.Class), row, info.Wait)
		if retried := row == connector.StatusRetry; retried != info.Retriable || info.Retriable != (info.Wait > 0) {
			t.Errorf("%s: a row is %s, retriable %t, wait %s", info.Code, row, info.Retriable, info.Wait)
		}
		status, bulk := verdict{status: crm.RowSkipped, errors: []crm.FieldError{{Code: info.Code, Columns: []string{"City"}}}}.refusal()
		if status != row || bulk.Code != info.Code || bulk.Fields[0].Field != "City" || bulk.Class == "" {
			t.Errorf("%s: a row of a report is %s, %v", info.Code, status, bulk)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the table (-) and what is so (+); look it through and run with -update:\n%s", diff)
	}
}

func TestOneReasonThatDoesNotPassDecides(t *testing.T) {
	t.Parallel()
	for _, codes := range [][]string{{"INTERNAL_ERROR", "INVALID_DATA"}, {"INVALID_DATA", "INTERNAL_ERROR"}, {"NEVER_SEEN"}} {
		v := verdict{status: crm.RowSkipped}
		for _, c := range codes {
			v.errors = append(v.errors, crm.FieldError{Code: c})
		}
		if status, e := v.refusal(); status != connector.StatusRejected || e.Class != connector.ClassRejected || e.Code != codes[0] {
			t.Errorf("%v: %s %v", codes, status, e)
		}
	}
}
