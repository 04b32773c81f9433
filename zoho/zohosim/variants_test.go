package zohosim

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestEveryVariantIsListed compares the list with the fields, and tries every value of it: it must be accepted, live
// too, and be none of the defaults.
func TestEveryVariantIsListed(t *testing.T) {
	t.Parallel()
	var fields, listed []string
	typ := reflect.TypeFor[Variants]()
	for i := range typ.NumField() {
		fields = append(fields, typ.Field(i).Tag.Get("json"))
	}
	w := start(t, nil)
	standard := map[string]json.RawMessage{}
	b, err := json.Marshal(Variants{}.withDefaults())
	if err == nil {
		err = json.Unmarshal(b, &standard)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range VariantList() {
		listed = append(listed, c.Key)
		if c.Question == "" || len(c.Others) == 0 {
			t.Errorf("%+v is incomplete", c)
		}
		for _, other := range c.Others {
			if other == string(standard[c.Key]) {
				t.Errorf("%s: %s is the default", c.Key, other)
			}
			w.want(200, "POST", "/_sim/config", `{"variants":{"`+c.Key+`":`+other+`}}`)
			if got := w.want(200, "GET", "/_sim/config", "").at("variants", c.Key); got != strings.Trim(other, `"`) {
				t.Errorf("%s is %s after it was set to %s", c.Key, got, other)
			}
		}
	}
	slices.Sort(fields)
	slices.Sort(listed)
	if !slices.Equal(fields, listed) {
		t.Errorf("fields %v\nlisted %v", fields, listed)
	}
	if a := w.want(200, "GET", "/_sim/variants", ""); a.at(0, "key") != "status_case" {
		t.Errorf("%s", a.body)
	}
	for _, wrong := range []string{`{"status_case":"odd"}`, `{"skipped_status":"added"}`, `{"download_base":"nowhere"}`, `{"user_time_zone":"Mars/Base"}`,
		`{"row_limit":-1}`, `{"expired_status":200}`, `{"failed_job":"loud"}`, `{"surprise":true}`} {
		w.want(400, "POST", "/_sim/config", `{"variants":`+wrong+`}`)
	}
}

// TestActionsAreListed arms a fault of every kind over the admin side.
func TestActionsAreListed(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var kinds []ActionKind
	if err := json.Unmarshal(w.want(200, "GET", "/_sim/faults/kinds", "").body, &kinds); err != nil || len(kinds) != len(ActionKinds()) {
		t.Fatalf("%v %v", err, kinds)
	}
	for _, k := range kinds {
		w.want(200, "POST", "/_sim/faults", `{"match":{"path":"/never$"},"action":{"kind":"`+string(k)+`"}}`)
	}
	if n := len(w.sim.Faults()); n != len(kinds) {
		t.Errorf("%d faults are armed", n)
	}
}
