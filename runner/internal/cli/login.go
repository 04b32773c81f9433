package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// loginTime is how long a person has to log in. Consent pages expire after
// minutes.
const loginTime = 10 * time.Minute

// login prints the address of the login page and waits on the loopback interface
// for the browser to come back (RFC 8252, section 7.3).
func (a *app) login(ctx context.Context, template connector.OAuthTemplate, answers connector.Answers, redirect string) (connector.Authorization, error) {
	target, err := url.Parse(redirect)
	if err != nil || target.Scheme != "http" || !isLoopback(target.Hostname()) {
		return connector.Authorization{}, usagef("--redirect-url %s is not an http address of this machine; visit the login page yourself and give its --code", redirect)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", target.Host)
	if err != nil {
		return connector.Authorization{}, usagef("waiting for the login at %s: %v; choose another --redirect-url", target.Host, err)
	}
	if target.Port() == "0" { // any free port, for apps that accept any
		target.Host = listener.Addr().String()
	}
	request := loginRequest{state: rand.Text(), verifier: rand.Text() + rand.Text(), redirect: target.String()}
	page, err := request.page(template, answers)
	if err != nil {
		_ = listener.Close() // nobody was sent there
		return connector.Authorization{}, err
	}
	a.notice("open this page in a browser and log in:\n\n  %s\n\nwaiting for the login, at most %s ...", page, loginTime)
	ctx, cancel := context.WithTimeoutCause(ctx, loginTime, errors.New("nobody logged in in time"))
	defer cancel()
	return request.wait(ctx, listener, target.Path, template.PKCE)
}

func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// loginRequest is one visit to a login page.
type loginRequest struct{ state, verifier, redirect string }

// page builds the address of the consent page (RFC 6749, section 4.1.1).
func (r loginRequest) page(t connector.OAuthTemplate, answers connector.Answers) (string, error) {
	page, err := url.Parse(t.AuthorizationURL)
	if err != nil {
		return "", fmt.Errorf("the connector's authorization URL is none: %w", err)
	}
	separator := t.ScopeSeparator
	if separator == "" {
		separator = " "
	}
	query := page.Query()
	for name, value := range t.Parameters {
		query.Set(name, value)
	}
	query.Set("response_type", "code")
	query.Set("client_id", answers.Get(t.ClientIDField))
	query.Set("redirect_uri", r.redirect)
	query.Set("state", r.state)
	if len(t.Scopes) > 0 {
		query.Set("scope", strings.Join(t.Scopes, separator))
	}
	if t.PKCE {
		sum := sha256.Sum256([]byte(r.verifier))
		query.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		query.Set("code_challenge_method", "S256")
	}
	page.RawQuery = query.Encode()
	return page.String(), nil
}

// wait serves the address the browser is sent back to, until it comes.
func (r loginRequest) wait(ctx context.Context, listener net.Listener, path string, pkce bool) (connector.Authorization, error) {
	came := make(chan url.Values, 1)
	if path == "" {
		path = "/"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path, func(w http.ResponseWriter, request *http.Request) {
		query := request.URL.Query()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if query.Get("state") != r.state {
			http.Error(w, "This is not the answer to the login that sluice waits for.", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Sluice has received the answer. You may close this page.")
		select {
		case came <- query:
		default: // a second visit
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var query url.Values
	select {
	case query = <-came:
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = server.Shutdown(stop) // lets the page go out; a browser that dawdles is cut off
	<-served
	if query == nil {
		return connector.Authorization{}, fmt.Errorf("logging in: %w", context.Cause(ctx))
	}
	return r.authorization(query, pkce)
}

func (r loginRequest) authorization(query url.Values, pkce bool) (connector.Authorization, error) {
	if refusal := query.Get("error"); refusal != "" || query.Get("code") == "" {
		return connector.Authorization{}, connector.Errorf(connector.ClassAuth, "LOGIN_REFUSED",
			"the login page sent back no code: %s %s", refusal, query.Get("error_description"))
	}
	authorization := connector.Authorization{Code: query.Get("code"), RedirectURI: r.redirect, Parameters: map[string]string{}}
	if pkce {
		authorization.CodeVerifier = r.verifier
	}
	for name := range query {
		if name != "code" && name != "state" {
			authorization.Parameters[name] = query.Get(name)
		}
	}
	return authorization, nil
}
