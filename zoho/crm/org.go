package crm

import (
	"context"
	"errors"
	"net/http"
)

// Organization is the Zoho CRM organisation of the token.
type Organization struct {
	ID       string // record id; not the one uploads want
	ZGID     string // organisation id, for [WithOrgID]
	Name     string
	Type     string // production, sandbox, developer or bigin; letter case varies
	TimeZone string // of the organisation; date-times follow the user's, see [User.TimeZone]
	Country  string // ISO code
	Currency string // ISO code of the home currency
	License  License
}

// Organization returns the organisation of the token.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-org-data.html
func (c *Client) Organization(ctx context.Context) (Organization, error) {
	var answer struct {
		Org flexList[wireOrg] `json:"org"`
	}
	r := request{call: newCall(OpOrg, "", 0, true), method: http.MethodGet, url: c.apiURL("org")}
	if _, err := c.getJSON(ctx, r, &answer); err != nil {
		return Organization{}, err
	}
	if len(answer.Org) == 0 || answer.Org[0].ZGID == "" {
		return Organization{}, &Error{Op: OpOrg, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer names no organisation"), CreditsRemaining: -1}
	}
	o := answer.Org[0]
	l := o.License.Value
	return Organization{
		ID: string(o.ID), ZGID: string(o.ZGID), Name: string(o.Name), Type: string(o.Type), TimeZone: string(o.TimeZone),
		Country: string(o.Country), Currency: string(o.ISOCode),
		License: License{Paid: bool(l.Paid), PaidType: string(l.PaidType), TrialType: string(l.TrialType), Users: int(l.Users)},
	}, nil
}

type wireOrg struct {
	ID       flexString `json:"id"`
	ZGID     flexString `json:"zgid"`
	Name     flexString `json:"company_name"`
	Type     flexString `json:"type"`
	TimeZone flexString `json:"time_zone"`
	Country  flexString `json:"country_code"`
	ISOCode  flexString `json:"iso_code"`
	License  flexObject[struct {
		Paid      flexBool   `json:"paid"`
		PaidType  flexString `json:"paid_type"`
		TrialType flexString `json:"trial_type"`
		Users     flexInt    `json:"users_license_purchased"`
	}] `json:"license_details"`
}
