package egress

import (
	"context"
	"errors"

	"golang.org/x/oauth2"

	"github.com/sluiceio/sluice/connector"
)

// OAuth2 adapts an [oauth2.TokenSource] that refreshes by itself. For its own
// requests to be held to the limits too, make the source with a context that
// carries a [Client]'s http.Client as [oauth2.HTTPClient]. A token refused
// before its expiry is not replaced, since such a source cannot be told.
func OAuth2(source oauth2.TokenSource) TokenSource { return oauth2Source{source} }

type oauth2Source struct{ source oauth2.TokenSource }

func (s oauth2Source) Token(context.Context) (string, error) {
	t, err := s.source.Token()
	if err == nil {
		return t.Type() + " " + t.AccessToken, nil
	}
	var own *connector.Error
	if errors.As(err, &own) {
		return "", own
	}
	var refused *oauth2.RetrieveError // its text repeats the answer, which is not for logs
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode < 500 {
		return "", &connector.Error{
			Class: connector.ClassAuth, Code: "TOKEN_REFUSED", Message: "the app refused to issue an access token (" + refused.ErrorCode + ")",
			Help: []connector.Help{{Description: "connect again"}},
		}
	}
	return "", &connector.Error{Class: connector.ClassTransient, Code: "TOKEN_UNAVAILABLE", Message: "no access token could be got"}
}

func (oauth2Source) Invalidate(context.Context, string) {}
