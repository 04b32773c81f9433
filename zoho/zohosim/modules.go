package zohosim

// GET /crm/{v}/settings/modules and GET /crm/{v}/settings/modules/{api_name or id}. Documented in
// docs/v7/modules-api.html. Supported: feature_name=bulk_write|bulk_read narrows the list; If-Modified-Since answers
// 304 when nothing changed since. Gaps: status filter other than visible (204), related lists, custom views, profiles
// beyond Administrator; a single module carries its fields but not its layouts' sections.

import (
	"net/http"
	"strings"
	"time"
)

type modulesAnswer struct {
	Modules []moduleWire `json:"modules"`
}

type moduleWire struct {
	APIName         string      `json:"api_name"`
	ModuleName      string      `json:"module_name"`
	ID              string      `json:"id"`
	Singular        string      `json:"singular_label"`
	Plural          string      `json:"plural_label"`
	ActualSingular  string      `json:"actual_singular_label"`
	ActualPlural    string      `json:"actual_plural_label"`
	Generated       string      `json:"generated_type"`
	APISupported    bool        `json:"api_supported"`
	Creatable       bool        `json:"creatable"`
	Editable        bool        `json:"editable"`
	Deletable       bool        `json:"deletable"`
	Viewable        bool        `json:"viewable"`
	Convertable     bool        `json:"convertable"`
	QuickCreate     bool        `json:"quick_create"`
	ShowAsTab       bool        `json:"show_as_tab"`
	Visible         bool        `json:"visible"`
	Visibility      int         `json:"visibility"`
	Status          string      `json:"status"`
	AccessType      string      `json:"access_type"`
	RecycleBin      bool        `json:"recycle_bin_on_delete"`
	FeedsRequired   bool        `json:"feeds_required"`
	Sequence        int         `json:"sequence_number"`
	PresenceSubMenu bool        `json:"presence_sub_menu"`
	SubMenu         bool        `json:"sub_menu_available"`
	BusinessCard    int         `json:"business_card_field_limit"`
	ProfileCount    int         `json:"profile_count"`
	MoreProfiles    bool        `json:"has_more_profiles"`
	Profiles        []idName    `json:"profiles"`
	Parent          any         `json:"parent_module"`
	Arguments       []string    `json:"arguments"`
	WebLink         *string     `json:"web_link"`
	Description     *string     `json:"description"`
	PrivateProfile  *string     `json:"private_profile"`
	ModifiedBy      *idName     `json:"modified_by"`
	ModifiedTime    *string     `json:"modified_time"`
	Fields          []fieldWire `json:"fields,omitempty"`
}

func (c *call) moduleWire(t *table, sequence int) moduleWire {
	shown := t.Generated == "default" || t.Generated == "custom"
	w := moduleWire{APIName: t.APIName, ModuleName: t.ModuleName, ID: itoa(t.id), Singular: t.Singular, Plural: t.Plural, ActualSingular: t.Singular,
		ActualPlural: t.Plural, Generated: t.Generated, APISupported: !t.NoAPI, Creatable: !t.NotCreatable, Editable: !t.NotEditable,
		Deletable: !t.NotDeletable, Viewable: true, Convertable: t.APIName == "Leads", QuickCreate: shown, ShowAsTab: shown, Visible: shown,
		Status: "visible", AccessType: "org_based", RecycleBin: true, Sequence: sequence, PresenceSubMenu: shown, SubMenu: shown, BusinessCard: 5,
		ProfileCount: 1, Profiles: []idName{{"Administrator", itoa(c.sim.org.profile)}}, Parent: none{}, Arguments: []string{}}
	if shown {
		w.Visibility = 1
	} else {
		w.Status = "system_hidden"
	}
	if t.Generated == "subform" {
		if p := t.byName["Parent_Id"]; p != nil {
			w.Parent = refWire{p.Lookup, c.sim.store.moduleID(p.Lookup)}
		}
	}
	if t.Generated == "custom" {
		by, at := c.sim.org.nameOf(0), c.stamp(c.sim.org.created.Unix())
		w.ModifiedBy, w.ModifiedTime = &by, &at
	}
	return w
}

func (s *store) moduleID(name string) string {
	if t := s.tables[name]; t != nil {
		return itoa(t.id)
	}
	return ""
}

func getModules(c *call) reply {
	if c.unmodified() {
		return reply{status: http.StatusNotModified}
	}
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []moduleWire
	status := c.query.Get("status")
	for i, t := range s.order {
		switch c.query.Get("feature_name") {
		case "bulk_write":
			if t.NoBulkWrite || t.NoAPI {
				continue
			}
		case "bulk_read":
			if t.NoBulkRead || t.NoAPI {
				continue
			}
		}
		w := c.moduleWire(t, i+1)
		if status == "" || strings.Contains(","+status+",", ","+w.Status+",") {
			list = append(list, w)
		}
	}
	if len(list) == 0 {
		return noContent()
	}
	return ok(modulesAnswer{list})
}

func getModule(c *call) reply {
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	name := c.params["module"]
	for i, t := range s.order {
		if t.APIName == name || itoa(t.id) == name {
			w := c.moduleWire(t, i+1)
			w.Fields = c.fieldWires(t)
			return ok(modulesAnswer{[]moduleWire{w}})
		}
	}
	return errModule().reply()
}

// unmodified answers If-Modified-Since of the settings calls: true when it lies after the last change of metadata.
func (c *call) unmodified() bool {
	since, err := time.Parse(time.RFC3339, c.r.Header.Get("If-Modified-Since"))
	return err == nil && since.After(c.sim.metaChanged())
}
