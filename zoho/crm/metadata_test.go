package crm

import (
	"slices"
	"testing"
)

func TestOrganization(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/org", answer(200, `{"org":[{"id":"57","zgid":808000144,"company_name":"Acme","type":"Production","time_zone":"Europe/Paris",
		"country_code":"FR","iso_code":"EUR","license_details":{"paid":true,"paid_type":"enterprise","users_license_purchased":"10","trial_type":null}}]}`))
	c := f.client(t)
	got, err := c.Organization(t.Context())
	want := Organization{
		ID: "57", ZGID: "808000144", Name: "Acme", Type: "Production", TimeZone: "Europe/Paris", Country: "FR", Currency: "EUR",
		License: License{Paid: true, PaidType: "enterprise", Users: 10},
	}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	f.on("GET /crm/v8/org", answer(200, `{"org":[]}`))
	if _, err := c.Organization(t.Context()); ErrorCode(err) != CodeBadAnswer {
		t.Errorf("no organisation gives %v", err)
	}
}

func TestCurrentUser(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/users", answer(200, `{"users":[{"id":"5","full_name":"Pat Doe","email":"p@d","time_zone":"Asia/Kolkata","status":"active"}]}`))
	got, err := f.client(t).CurrentUser(t.Context())
	if want := (User{ID: "5", Name: "Pat Doe", Email: "p@d", TimeZone: "Asia/Kolkata", Status: "active"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if seen := f.requests(); seen[0] != "GET /crm/v8/users?type=CurrentUser" {
		t.Errorf("asked %v", seen)
	}
}

func TestModules(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v7/settings/modules", answer(200, `{"modules":[
		{"api_name":"Leads","module_name":"Leads","generated_type":"default","api_supported":true,"viewable":true,"creatable":true,"editable":true,"deletable":true,"visible":true,"visibility":1},
		{"api_name":"Events","module_name":"Meetings","generated_type":"Default","api_supported":true,"viewable":true,"creatable":true,"status":"user_hidden"},
		{"api_name":"Notes","generated_type":"default","api_supported":true,"viewable":true,"creatable":true,"visible":"false"},
		{"api_name":"Web","generated_type":"web","api_supported":false},
		{"module_name":"no api name"}, null, 7]}`))
	got, err := f.client(t, WithVersion("v7")).Modules(t.Context())
	if err != nil || len(got) != 4 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, want := range []struct{ read, write, visible bool }{{true, true, true}, {true, false, false}, {false, false, false}, {false, false, true}} {
		if m := got[i]; m.BulkReadable() != want.read || m.BulkWritable() != want.write || m.Visible != want.visible {
			t.Errorf("%s: readable %v writable %v visible %v", m.APIName, m.BulkReadable(), m.BulkWritable(), m.Visible)
		}
	}
	if !got[0].Deletable || got[1].ModuleName != "Meetings" || got[1].GeneratedType != "default" {
		t.Errorf("got %+v", got)
	}
}

func TestFieldsInEveryVariant(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/settings/fields", answer(200, `{"fields":[
		{"api_name":"Email","field_label":"E-mail","data_type":"Email","json_type":"string","length":"100","unique":{"case_sensitive":true},"visible":true,
		 "operation_type":{"api_create":true,"api_update":false},"view_type":{"view":true},"crypt":null,"lookup":{},"multiselectlookup":null,"pick_list_values":[]},
		{"api_name":"Code","display_label":"Code","data_type":"text","unique":{"casesensitive":"true"},"read_only":false,"length":null,"decimal_place":"x"},
		{"api_name":"Plain","data_type":"text","unique":{},"read_only":true,"external":{"show":true,"type":"user"},"crypt":{"mode":"encryption"}},
		{"api_name":"Odd","data_type":"text","unique":[],"lookup":"?","pick_list_values":null,"view_type":7},
		{"api_name":"Account_Name","data_type":"lookup","json_type":"jsonobject","lookup":{"module":{"api_name":"Accounts","id":"1"},"api_name":"x"}},
		{"api_name":"Old_Lookup","data_type":"lookup","lookup":{"module":"Contacts"}},
		{"api_name":"Tags","data_type":"multiselectlookup","multiselectlookup":{"linking_details":{"module":{"api_name":"Leads_X_Tags"}}}},
		{"api_name":"Items","data_type":"subform","associated_module":{"module":"Item_Rows"}},
		{"api_name":"Sum","data_type":"formula","formula":{"return_type":"double"}},
		{"api_name":"Stage","data_type":"picklist","pick_list_values":[{"display_value":"Won","actual_value":"Closed Won","id":"9","type":"used"},{"display_value":"Lost","type":"unused"}]},
		{"field_label":"no api name"}]}`))
	got, err := f.client(t).Fields(t.Context(), "Leads")
	if err != nil || len(got) != 10 {
		t.Fatalf("got %d fields, %v", len(got), err)
	}
	by := map[string]Field{}
	for _, f := range got {
		by[f.APIName] = f
	}
	for claim, holds := range map[string]bool{
		"a unique field with case":          by["Email"].Unique && by["Email"].UniqueCase && by["Email"].Length == 100 && by["Email"].DataType == "email",
		"operation_type decides":            by["Email"].Creatable && !by["Email"].Updatable && by["Email"].Viewable,
		"the old spelling of the case flag": by["Code"].Unique && by["Code"].UniqueCase && by["Code"].Label == "Code",
		"without operation_type, read_only": by["Code"].Creatable && !by["Plain"].Creatable,
		"unique {} is not unique":           !by["Plain"].Unique,
		"external and encrypted":            by["Plain"].External == "user" && by["Plain"].Encrypted && !by["Email"].Encrypted,
		"odd types count as absent":         !by["Odd"].Unique && by["Odd"].LookupModule == "" && by["Odd"].PickList == nil,
		"a lookup names its module":         by["Account_Name"].LookupModule == "Accounts",
		"an old lookup names its module":    by["Old_Lookup"].LookupModule == "Contacts",
		"a multi lookup names its links":    by["Tags"].LinkingModule == "Leads_X_Tags",
		"a subform names its module":        by["Items"].Subform == "Item_Rows",
		"a formula has a type":              by["Sum"].ReturnType == "double",
		"a picklist has actual values": slices.Equal(by["Stage"].PickList, []PickListValue{
			{Display: "Won", Actual: "Closed Won", ID: "9"}, {Display: "Lost", Actual: "Lost", Unused: true},
		}),
	} {
		if !holds {
			t.Errorf("does not hold: %s", claim)
		}
	}
	f.on("GET /crm/v8/settings/fields", answer(204, ""))
	if got, err := f.client(t).AllFields(t.Context(), "Leads"); err != nil || len(got) != 0 {
		t.Errorf("204 gives %v, %v", got, err)
	}
	if seen := f.requests(); seen[1] != "GET /crm/v8/settings/fields?module=Leads&type=all" {
		t.Errorf("asked %v", seen)
	}
}

func TestLayouts(t *testing.T) {
	f := newFake(t)
	f.on("GET /crm/v8/settings/layouts", answer(200, `{"layouts":[{"id":"3","api_name":"Standard__s","name":"Standard","visible":true,"sections":[
		{"fields":[{"api_name":"Company","required":true},{"api_name":"Email","required":false}]},{"fields":[{"api_name":"Last_Name","system_mandatory":true}]}]}]}`))
	got, err := f.client(t).Layouts(t.Context(), "Leads")
	if err != nil || len(got) != 1 || !got[0].Visible || !slices.Equal(got[0].Required, []string{"Company", "Last_Name"}) {
		t.Errorf("got %+v, %v", got, err)
	}
}
