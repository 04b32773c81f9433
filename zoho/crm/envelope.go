package crm

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxErrorBody bounds how much of an error's body is read. A refused batch of 100 records answers with some 30 KiB.
const maxErrorBody = 1 << 20

// maxMessage bounds the part of Zoho's message that is kept.
const maxMessage = 300

// envelope is the union of the shapes in which Zoho reports trouble.
type envelope struct {
	Code    flexString     `json:"code"`
	Status  flexString     `json:"status"`
	Message flexString     `json:"message"`
	Details jsontext.Value `json:"details"`

	// OAuth.
	OAuthError       flexString `json:"error"`
	OAuthDescription flexString `json:"error_description"`

	// The file gateway before the upload endpoint.
	GatewayMessage flexString `json:"ERROR_MESSAGE"`
	GatewayCode    flexString `json:"ERROR_CODE"`
	GatewayHint    flexString `json:"x-error"`
	GatewayInfo    flexString `json:"x-info"`

	Data flexList[envelope] `json:"data"`
}

// isError reports whether the envelope speaks of a failure.
func (e *envelope) isError() bool {
	return strings.EqualFold(string(e.Status), "error") || e.OAuthError != "" || e.GatewayCode != "" || e.GatewayMessage != ""
}

// decodeEnvelope finds the error in a body. Ok is false when the body is not JSON or speaks of no error.
func decodeEnvelope(body []byte) (code, message string, details jsontext.Value, ok bool) {
	var e envelope
	if json.Unmarshal(body, &e) != nil {
		return "", "", nil, false
	}
	if !e.isError() && len(e.Data) > 0 && e.Data[0].isError() {
		e = e.Data[0]
	}
	switch {
	case e.OAuthError != "":
		return wordOf(e.OAuthError), clip(string(e.OAuthDescription)), nil, true
	case e.GatewayCode != "" || e.GatewayMessage != "":
		return gatewayCode(&e), clip(strings.TrimSpace(string(e.GatewayMessage) + " " + string(e.GatewayHint) + string(e.GatewayInfo))), nil, true
	case e.isError() || (e.Code != "" && e.Status == ""):
		return wordOf(e.Code), clip(string(e.Message)), objectOrNil(e.Details), true
	}
	return "", "", nil, false
}

// wordOf makes a bounded code of what stands where a code should; a blank says no more than the status does.
func wordOf(s flexString) string {
	code := normalizeCode(string(s))
	if code == "" {
		return codeByStatus
	}
	return strings.ToValidUTF8(code[:min(len(code), maxCode)], "")
}

// maxCode bounds a code; the longest known has 57 bytes.
const maxCode = 100

// gatewayCode gives the file gateway's answer, which has a number where others have a word, a word.
func gatewayCode(e *envelope) string {
	if n, err := strconv.Atoi(string(e.GatewayCode)); err == nil && n != http.StatusBadRequest {
		return codeByStatus
	}
	return "BAD_REQUEST"
}

func objectOrNil(v jsontext.Value) jsontext.Value {
	if len(v) == 0 || v.Kind() != '{' || len(bytes.TrimSpace(v)) == 2 {
		return nil
	}
	return bytes.Clone(v)
}

// clip bounds a message without cutting a character in two.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxMessage {
		return s
	}
	end := maxMessage
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

// errorFromAnswer reads the body of an answer that is not a success and makes an [*Error] of it. It does not close the
// body.
func errorFromAnswer(op Op, path string, resp *http.Response) *Error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	return errorFromBody(op, path, resp.StatusCode, resp.Header, body)
}

func errorFromBody(op Op, path string, status int, header http.Header, body []byte) *Error {
	e := &Error{Op: op, Path: path, HTTPStatus: status, CreditsRemaining: creditsRemaining(header), RetryAfter: retryAfter(header, time.Now())}
	code, message, details, ok := decodeEnvelope(body)
	if !ok {
		// Gateways answer in HTML; its text would tell nobody anything.
		e.Code, e.Message = codeByStatus, http.StatusText(status)
		return e
	}
	e.Code, e.Message, e.Details = code, message, details
	return e
}

func creditsRemaining(h http.Header) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get("X-API-CREDITS-REMAINING")), 10, 64)
	if err != nil {
		return -1
	}
	return max(n, 0)
}

// retryAfter reads Retry-After in either form, seconds or date. Zoho CRM documents no such header; it is obeyed when it
// appears.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	if s, err := strconv.ParseInt(v, 10, 32); err == nil {
		return time.Duration(max(s, 0)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
