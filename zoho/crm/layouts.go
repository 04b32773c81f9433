package crm

import (
	"context"
	"net/http"
	"net/url"
)

// Layout is one page layout of a module.
type Layout struct {
	ID       string
	APIName  string
	Name     string
	Visible  bool
	Required []string // API names of the fields the layout demands, system-mandatory ones among them
}

// Layouts lists the layouts of a module. Bulk write refuses a job with MANDATORY_FIELDS_NOT_MAPPED unless every required
// field of its target layout is mapped, although the fields call calls only some of them mandatory.
//
// https://www.zoho.com/crm/developer/docs/api/v8/layouts-meta.html
func (c *Client) Layouts(ctx context.Context, module string) ([]Layout, error) {
	var answer struct {
		Layouts flexList[wireLayout] `json:"layouts"`
	}
	r := request{call: newCall(OpLayouts, module, 0, true), method: http.MethodGet, url: c.apiURL("settings", "layouts"), query: url.Values{"module": {module}}}
	if _, err := c.getJSON(ctx, r, &answer); err != nil {
		return nil, err
	}
	out := make([]Layout, 0, len(answer.Layouts))
	for _, w := range answer.Layouts {
		l := Layout{ID: string(w.ID), APIName: string(w.APIName), Name: firstOf(string(w.Name), string(w.DisplayLabel)), Visible: w.Visible == nil || bool(*w.Visible)}
		for _, s := range w.Sections {
			for _, f := range s.Fields {
				if f.APIName != "" && (f.Required || f.Mandatory) {
					l.Required = append(l.Required, string(f.APIName))
				}
			}
		}
		out = append(out, l)
	}
	return out, nil
}

type wireLayout struct {
	ID           flexString `json:"id"`
	APIName      flexString `json:"api_name"`
	Name         flexString `json:"name"`
	DisplayLabel flexString `json:"display_label"`
	Visible      *flexBool  `json:"visible"`
	Sections     flexList[struct {
		Fields flexList[struct {
			APIName   flexString `json:"api_name"`
			Required  flexBool   `json:"required"`
			Mandatory flexBool   `json:"system_mandatory"`
		}] `json:"fields"`
	}] `json:"sections"`
}
