package todo

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/egress"
)

// call sends a request and decodes the answer. Its errors are the contract's.
func (s *session) call(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return connector.Errorf(connector.ClassInternal, "REQUEST", "writing a request: %w", err)
		}
		payload = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.base.String()+path, payload)
	if err != nil {
		return connector.Errorf(connector.ClassInternal, "REQUEST", "making a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := s.client.HTTP().Do(request)
	if err != nil {
		return egress.Redact(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return connector.Errorf(connector.ClassTransient, "NETWORK", "the answer to %s %s broke off", method, path)
	}
	if response.StatusCode >= 300 {
		return refused(response.StatusCode, answer)
	}
	if into != nil && json.Unmarshal(answer, into) != nil {
		return connector.Errorf(connector.ClassInternal, "STRANGE_ANSWER", "the answer to %s %s is not as documented", method, path)
	}
	return nil
}

// refused translates the service's errors: the status says whose turn it is, the
// body has a code, the field and a message.
func refused(status int, body []byte) *connector.Error {
	var answer struct {
		Error struct {
			Code, Field, Message string
		}
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error.Code == "" {
		answer.Error.Code, answer.Error.Message = "HTTP_STATUS", http.StatusText(status)
	}
	e := connector.Errorf(classOf(status), strings.ToUpper(answer.Error.Code), "the service refused: %s", answer.Error.Message)
	if answer.Error.Field != "" {
		e.Fields = []connector.FieldViolation{{Field: answer.Error.Field, Description: answer.Error.Message}}
	}
	return e
}

func classOf(status int) connector.Class {
	switch {
	case status == http.StatusUnauthorized:
		return connector.ClassAuth
	case status == http.StatusForbidden:
		return connector.ClassPermission
	case status == http.StatusTooManyRequests:
		return connector.ClassRateLimited
	case status >= 500:
		return connector.ClassTransient
	}
	return connector.ClassRejected
}
