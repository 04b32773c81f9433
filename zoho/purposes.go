package zoho

import (
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// What a connection is for. Consent is asked for no more than that.
const (
	purposeWrite  = "write"
	purposeDelete = "delete"
	purposeRead   = "read"
)

// purposes are all of them, with what each needs beyond the common uses.
var purposes = []struct {
	name, label string
	uses        []crm.Use
}{
	{purposeWrite, "Outbound: create and update records", []crm.Use{crm.UseLayouts, crm.UseBulkWrite, crm.UseRecordsWrite}},
	{purposeDelete, "Outbound: delete records", []crm.Use{crm.UseRecordsDelete}},
	{purposeRead, "Inbound: read records", []crm.Use{crm.UseBulkRead, crm.UseRecordsRead, crm.UseCOQL}},
}

// commonUses are needed whatever a connection is for: to know the organisation,
// its edition, the user's time zone, and modules with their fields.
var commonUses = []crm.Use{crm.UseOrganization, crm.UseMetadata, crm.UseUsers}

func purposeNames() []string {
	var out []string
	for _, p := range purposes {
		out = append(out, p.name)
	}
	return out
}

func purposeOptions() []connector.Option {
	var out []connector.Option
	for _, p := range purposes {
		out = append(out, connector.Option{Value: p.name, Label: p.label})
	}
	return out
}

// scopesFor are the scopes that what a connection is for needs; without an
// answer, those for everything.
func scopesFor(answers connector.Answers) []string {
	chosen := answers[fieldPurposes]
	uses := slices.Clone(commonUses)
	for _, p := range purposes {
		if len(chosen) == 0 || slices.Contains(chosen, p.name) {
			uses = append(uses, p.uses...)
		}
	}
	return crm.ScopesFor(uses)
}

func checkPurposes(answers connector.Answers) error {
	for _, name := range answers[fieldPurposes] {
		if !slices.Contains(purposeNames(), name) {
			return answerError(fieldPurposes, "the purpose %q is unknown; use %s", name, strings.Join(purposeNames(), ", "))
		}
	}
	return nil
}

// apiVersions are those that Zoho serves and the connector speaks, newest first
// (https://www.zoho.com/crm/developer/docs/api/v8/).
var apiVersions = []string{"v8", "v7", "v6", "v5", "v4", "v3", "v2"}

func versionOptions() []connector.Option {
	var out []connector.Option
	for _, v := range apiVersions {
		out = append(out, connector.Option{Value: v, Label: v})
	}
	return out
}
