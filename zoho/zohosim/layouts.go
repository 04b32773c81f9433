package zohosim

// GET /crm/{v}/settings/layouts?module=. Documented: layouts[] with sections[] of fields[], whose "required" tells the
// layout's own mandatory fields. One layout a module, named Standard, with one section.

type layoutsAnswer struct {
	Layouts []layoutWire `json:"layouts"`
}

type layoutWire struct {
	ID           string        `json:"id"`
	Name         string        `json:"name"`
	APIName      string        `json:"api_name"`
	DisplayLabel string        `json:"display_label"`
	Status       string        `json:"status"`
	Visible      bool          `json:"visible"`
	Source       string        `json:"source"`
	Generated    string        `json:"generated_type"`
	CreatedFor   *string       `json:"created_for"`
	Sections     []sectionWire `json:"sections"`
	Profiles     []idName      `json:"profiles"`
}

type sectionWire struct {
	ID           string      `json:"id"`
	Name         string      `json:"name"`
	APIName      string      `json:"api_name"`
	DisplayLabel string      `json:"display_label"`
	Sequence     int         `json:"sequence_number"`
	Columns      int         `json:"column_count"`
	Type         string      `json:"type"`
	Fields       []fieldWire `json:"fields"`
}

func getLayouts(c *call) reply {
	name := c.query.Get("module")
	if name == "" {
		return bad("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing").with(paramName{"module"}).reply()
	}
	s := c.sim.store
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[name]
	if t == nil {
		return errModule().reply()
	}
	fields := make([]fieldWire, 0, len(t.fields))
	for _, f := range t.fields {
		w := c.fieldWire(t, f)
		need := f.mandatory()
		w.Required = &need
		fields = append(fields, w)
	}
	section := sectionWire{ID: itoa(t.layout + 1), Name: t.Singular + " Information", APIName: t.Singular + "_Information", DisplayLabel: t.Singular + " Information",
		Sequence: 1, Columns: 2, Type: "used", Fields: fields}
	return ok(layoutsAnswer{[]layoutWire{{ID: itoa(t.layout), Name: "Standard", APIName: "Standard__s", DisplayLabel: "Standard", Status: "active", Visible: true,
		Source: "crm", Generated: "default", Sections: []sectionWire{section}, Profiles: []idName{{"Administrator", itoa(c.sim.org.profile)}}}}})
}
