package slack

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// maxAnswer bounds what is read of an answer: a page of 200 channels has about
// 200 KB.
const maxAnswer = 16 << 20

// call calls a method, and decodes its answer into a struct. Slack answers 200
// whatever became of the call, with {"ok": false, "error": "a_code"} in the
// body; only calls that come too fast (429), and those it failed to handle
// (5xx), say so in their status. All errors are the contract's.
func (s *session) call(ctx context.Context, method string, arguments url.Values, into any) (http.Header, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.base.JoinPath(method).String(), strings.NewReader(arguments.Encode()))
	if err != nil {
		return nil, connector.Errorf(connector.ClassInternal, "REQUEST", "making a request for %s: %w", method, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	response, err := s.client.HTTP().Do(request)
	if err != nil {
		return nil, failed(method, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, badStatus(method, response)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, failed(method, err)
	}
	var answer struct {
		OK     bool   `json:"ok"`
		Error  string `json:"error"`
		Needed string `json:"needed"` // the scopes that a missing_scope asks for
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, connector.Errorf(connector.ClassTransient, "NO_ANSWER", "%s was answered with something that is not JSON", method)
	}
	if !answer.OK {
		return nil, refused(method, answer.Error, answer.Needed)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, connector.Errorf(connector.ClassInternal, "STRANGE_ANSWER", "%s was answered with fields of other types than documented", method)
	}
	return response.Header, nil
}

// badStatus is an answer that Slack's front door gave, not the method.
func badStatus(method string, response *http.Response) *connector.Error {
	if response.StatusCode == http.StatusTooManyRequests { // still, after package egress has waited and tried again
		e := refused(method, "ratelimited", "")
		if wait, err := time.ParseDuration(response.Header.Get("Retry-After") + "s"); err == nil {
			e.RetryAfter = wait
		}
		return e
	}
	class := connector.ClassTransient
	if response.StatusCode < 500 {
		class = connector.ClassInternal
	}
	return connector.Errorf(class, "HTTP_STATUS", "%s was answered %s", method, response.Status)
}
