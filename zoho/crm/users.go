package crm

import (
	"context"
	"errors"
	"net/http"
	"net/url"
)

// User is a user of the organisation.
type User struct {
	ID       string
	Name     string
	Email    string
	TimeZone string // IANA name; date-times in bulk files follow it
	Status   string
}

// CurrentUser returns the user whose grant the token is.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-users.html
func (c *Client) CurrentUser(ctx context.Context) (User, error) {
	var answer struct {
		Users flexList[struct {
			ID       flexString `json:"id"`
			Name     flexString `json:"full_name"`
			Email    flexString `json:"email"`
			TimeZone flexString `json:"time_zone"`
			Status   flexString `json:"status"`
		}] `json:"users"`
	}
	r := request{call: newCall(OpUsers, "", 0, true), method: http.MethodGet, url: c.apiURL("users"), query: url.Values{"type": {"CurrentUser"}}}
	if _, err := c.getJSON(ctx, r, &answer); err != nil {
		return User{}, err
	}
	if len(answer.Users) == 0 {
		return User{}, &Error{Op: OpUsers, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer names no user"), CreditsRemaining: -1}
	}
	u := answer.Users[0]
	return User{ID: string(u.ID), Name: string(u.Name), Email: string(u.Email), TimeZone: string(u.TimeZone), Status: string(u.Status)}, nil
}
