package zohosim

import (
	"net/http"
)

// apiError is Zoho's error envelope together with its HTTP status.
type apiError struct {
	http    int
	code    string
	message string
	details any
}

// envelope is the wire shape of a single error and of the plain successes.
type envelope struct {
	Code    string `json:"code"`
	Details any    `json:"details"`
	Message string `json:"message"`
	Status  string `json:"status"`
}

// none marshals as {}.
type none struct{}

func fail(status int, code, message string) *apiError {
	return &apiError{http: status, code: code, message: message}
}

func bad(code, message string) *apiError { return fail(http.StatusBadRequest, code, message) }

func (e *apiError) with(details any) *apiError {
	e.details = details
	return e
}

func (e *apiError) envelope() envelope {
	details := e.details
	if details == nil {
		details = none{}
	}
	return envelope{Code: e.code, Details: details, Message: e.message, Status: "error"}
}

func (e *apiError) reply() reply { return reply{status: e.http, body: e.envelope(), code: e.code} }

func errInvalidToken() *apiError {
	return fail(http.StatusUnauthorized, "INVALID_TOKEN", "invalid oauth token")
}

func errNoAuth() *apiError {
	return fail(http.StatusUnauthorized, "AUTHENTICATION_FAILURE", "Authentication failed")
}

func errScope() *apiError {
	return fail(http.StatusUnauthorized, "OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL")
}

func errURL() *apiError {
	return fail(http.StatusNotFound, "INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one")
}

func errMethod() *apiError {
	return bad("INVALID_REQUEST_METHOD", "The http request method type is not a valid one")
}

// errTooMany is the answer to every limit; Zoho has one code for all of them.
func (c *Config) errTooMany() *apiError {
	return fail(http.StatusTooManyRequests, "TOO_MANY_REQUESTS", c.Variants.ThrottleMessage)
}

func errModule() *apiError {
	return bad("INVALID_MODULE", "the module name given seems to be invalid")
}

func errInternal() *apiError {
	return fail(http.StatusInternalServerError, "INTERNAL_ERROR", "Internal Server Error")
}
