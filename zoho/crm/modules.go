package crm

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Module is one module of the organisation, as the profile of the connected user sees it.
type Module struct {
	APIName       string // the name in every URL and body
	ModuleName    string // internal: CustomModule3 where APIName is Vehicles
	ID            string
	Singular      string // label
	Plural        string // label
	GeneratedType string // default, custom, subform, linking, web...
	APISupported  bool
	Viewable      bool
	Creatable     bool
	Editable      bool
	Deletable     bool
	Visible       bool   // shown, and not taken away by a plan
	Status        string // visible, user_hidden, system_hidden, scheduled_for_deletion; "" when not told
}

// Modules lists the modules.
//
// https://www.zoho.com/crm/developer/docs/api/v8/modules-api.html
func (c *Client) Modules(ctx context.Context) ([]Module, error) {
	return c.modules(ctx, nil)
}

// ModulesFor lists the modules that support a feature, for instance "bulk_write". Older organisations may ignore the
// restriction or refuse it.
func (c *Client) ModulesFor(ctx context.Context, feature string) ([]Module, error) {
	return c.modules(ctx, url.Values{"feature_name": {feature}})
}

func (c *Client) modules(ctx context.Context, query url.Values) ([]Module, error) {
	var answer struct {
		Modules flexList[wireModule] `json:"modules"`
	}
	r := request{call: newCall(OpModules, "", 0, true), method: http.MethodGet, url: c.apiURL("settings", "modules"), query: query}
	if _, err := c.getJSON(ctx, r, &answer); err != nil {
		return nil, err
	}
	out := make([]Module, 0, len(answer.Modules))
	for _, m := range answer.Modules {
		if m.APIName != "" {
			out = append(out, m.module())
		}
	}
	return out, nil
}

type wireModule struct {
	APIName       flexString `json:"api_name"`
	ModuleName    flexString `json:"module_name"`
	ID            flexString `json:"id"`
	Singular      flexString `json:"singular_label"`
	Plural        flexString `json:"plural_label"`
	GeneratedType flexString `json:"generated_type"`
	APISupported  flexBool   `json:"api_supported"`
	Viewable      flexBool   `json:"viewable"`
	Creatable     flexBool   `json:"creatable"`
	Editable      flexBool   `json:"editable"`
	Deletable     flexBool   `json:"deletable"`
	Visible       *flexBool  `json:"visible"`
	Status        flexString `json:"status"`
}

func (m wireModule) module() Module {
	out := Module{
		APIName: string(m.APIName), ModuleName: string(m.ModuleName), ID: string(m.ID), Singular: string(m.Singular), Plural: string(m.Plural),
		GeneratedType: strings.ToLower(string(m.GeneratedType)), APISupported: bool(m.APISupported), Viewable: bool(m.Viewable),
		Creatable: bool(m.Creatable), Editable: bool(m.Editable), Deletable: bool(m.Deletable), Status: strings.ToLower(string(m.Status)),
	}
	// Older versions have only one of the two; visibility as a number changed meaning and is not read.
	switch {
	case m.Visible != nil:
		out.Visible = bool(*m.Visible)
	case out.Status != "":
		out.Visible = out.Status == "visible"
	default:
		out.Visible = true
	}
	return out
}

// Modules the bulk APIs refuse, by the limitations pages; some are known from practice only. Listing is not proof: a module
// may still answer INVALID_MODULE.
var (
	noBulkRead = []string{
		"Notes", "Attachments", "Emails", "CTI_Entry", "Email_Analytics", "Email_Template_Analytics", "Functions__s",
		"Email_Sentiment", "Locking_Information__s",
	}
	noBulkWrite = []string{"Users", "Notes", "Attachments", "Events", "Calls"}
)

// BulkReadable reports whether bulk read may be tried on the module.
func (m Module) BulkReadable() bool {
	return m.APISupported && m.Viewable && m.holdsRecords() && !slices.Contains(noBulkRead, m.APIName)
}

// BulkWritable reports whether bulk write may be tried on the module; whether rows may be created or edited, Creatable and
// Editable tell.
func (m Module) BulkWritable() bool {
	return m.APISupported && m.holdsRecords() && (m.Creatable || m.Editable) && !slices.Contains(noBulkWrite, m.APIName)
}

func (m Module) holdsRecords() bool {
	return slices.Contains([]string{"default", "custom", "subform", "linking"}, m.GeneratedType)
}
