package crm

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// User is a user of the organisation.
type User struct {
	ID       string
	Name     string
	Email    string
	TimeZone string // IANA name; date-times in bulk files follow it
	Status   string
}

// UserKind chooses which users to list.
type UserKind string

// The kinds used here; Zoho has more.
const (
	AllUsers    UserKind = "AllUsers"
	ActiveUsers UserKind = "ActiveUsers"
)

type wireUsers struct {
	Users flexList[struct {
		ID       flexString `json:"id"`
		Name     flexString `json:"full_name"`
		Email    flexString `json:"email"`
		TimeZone flexString `json:"time_zone"`
		Status   flexString `json:"status"`
	}] `json:"users"`
	Info flexObject[struct {
		More flexBool `json:"more_records"`
	}] `json:"info"`
}

func (w wireUsers) users() []User {
	out := make([]User, len(w.Users))
	for i, u := range w.Users {
		out[i] = User{ID: string(u.ID), Name: string(u.Name), Email: string(u.Email), TimeZone: string(u.TimeZone), Status: string(u.Status)}
	}
	return out
}

// CurrentUser returns the user whose grant the token is.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-users.html
func (c *Client) CurrentUser(ctx context.Context) (User, error) {
	answer, r, err := c.usersPage(ctx, url.Values{"type": {"CurrentUser"}})
	if err != nil {
		return User{}, err
	}
	if len(answer.Users) == 0 {
		return User{}, &Error{Op: OpUsers, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("the answer names no user"), CreditsRemaining: -1}
	}
	return answer.users()[0], nil
}

// Users yields the users of a kind, 200 for a credit.
//
// https://www.zoho.com/crm/developer/docs/api/v8/get-users.html
func (c *Client) Users(ctx context.Context, kind UserKind) iter.Seq2[User, error] {
	return func(yield func(User, error) bool) {
		for page := 1; ; page++ {
			answer, r, err := c.usersPage(ctx, url.Values{"type": {string(kind)}, "page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(MaxRecordsPerPage)}})
			if err == nil && bool(answer.Info.Value.More) && len(answer.Users) == 0 {
				err = &Error{Op: OpUsers, Path: pathOf(r.url), Code: CodeBadAnswer, Err: errors.New("an empty page promises more"), CreditsRemaining: -1}
			}
			if err != nil {
				yield(User{}, err)
				return
			}
			for _, u := range answer.users() {
				if !yield(u, nil) {
					return
				}
			}
			if !answer.Info.Value.More {
				return
			}
		}
	}
}

func (c *Client) usersPage(ctx context.Context, query url.Values) (answer wireUsers, r request, err error) {
	r = request{call: newCall(OpUsers, "", 0, true), method: http.MethodGet, url: c.apiURL("users"), query: query}
	_, err = c.getJSON(ctx, r, &answer)
	return answer, r, err
}
