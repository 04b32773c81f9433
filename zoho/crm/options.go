package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"golang.org/x/oauth2"
)

// DefaultVersion is the API version used unless [WithVersion] says otherwise. v2 to v8 are served concurrently and alike
// on the wire in everything this package uses.
const DefaultVersion = "v8"

// Default bounds of result files. A page of 200,000 rows with long text stays well below them.
const (
	DefaultMaxDownload = 2 << 30  // bytes of a result zip
	DefaultMaxInflated = 32 << 30 // bytes of the CSV inside
)

// Option sets something on a [Client].
type Option func(*settings)

type settings struct {
	httpClient    *http.Client
	tokens        oauth2.TokenSource
	dc            DataCenter
	env           Environment
	endpoint      string
	apiBase       string
	uploadBase    string
	version       string
	orgID         string
	userAgent     string
	tempDir       string
	downloadHosts []string
	maxDownload   int64
	maxInflated   int64
	hook          callHook
}

// WithHTTPClient sends every request through c. Default: a client of its own on http.DefaultTransport. Limits, retries and
// authorization belong into this client; see the package documentation. Give no [WithTokenSource] when c
// authorizes by itself.
func WithHTTPClient(c *http.Client) Option { return func(s *settings) { s.httpClient = c } }

// WithTokenSource sets the Authorization header of every request from source. When source is a [*TokenSource], an
// INVALID_TOKEN answer invalidates the token and the request is repeated once. Default: no header is set.
func WithTokenSource(source oauth2.TokenSource) Option {
	return func(s *settings) { s.tokens = source }
}

// WithDataCenter chooses the hosts. Default: US, production.
func WithDataCenter(dc DataCenter, env Environment) Option {
	return func(s *settings) { s.dc, s.env = dc, env }
}

// WithEndpoint sends everything, uploads and downloads by relative URL included, to one base URL: a simulator or a
// proxy. It overrides the data center and excludes [WithAPIBase] and [WithUploadBase].
func WithEndpoint(base string) Option { return func(s *settings) { s.endpoint = base } }

// WithAPIBase overrides the API base of the data center, usually by the api_domain of the token answer.
func WithAPIBase(base string) Option { return func(s *settings) { s.apiBase = base } }

// WithUploadBase overrides the upload base of the data center. Zoho's SDKs use content.zohoapis.*, its v8 pages name
// upload.zoho.com and upload-accl.zoho.*; the default is the former.
func WithUploadBase(base string) Option { return func(s *settings) { s.uploadBase = base } }

// WithVersion sets the version segment of all paths, for instance "v7". Default: [DefaultVersion].
func WithVersion(v string) Option { return func(s *settings) { s.version = v } }

// WithOrgID sets the organisation's zgid, which uploads need ([Organization].ZGID, not its id). Default: none, and
// uploads fail.
func WithOrgID(zgid string) Option { return func(s *settings) { s.orgID = zgid } }

// WithUserAgent sets the User-Agent header. Default: "sluice-zoho-crm".
func WithUserAgent(ua string) Option { return func(s *settings) { s.userAgent = ua } }

// WithTempDir sets where result files are kept while they are read. Default: the system's temporary directory.
func WithTempDir(dir string) Option { return func(s *settings) { s.tempDir = dir } }

// WithDownloadHosts adds hosts (not URLs) that may receive the token when Zoho names them in a download URL, beyond
// those of [Hosts]. It matters only together with [WithTokenSource].
func WithDownloadHosts(hosts ...string) Option {
	return func(s *settings) { s.downloadHosts = append(s.downloadHosts, hosts...) }
}

// WithMaxDownload bounds a result file: zipped bytes and inflated bytes. Zero keeps the default, [DefaultMaxDownload]
// and [DefaultMaxInflated].
func WithMaxDownload(zipped, inflated int64) Option {
	return func(s *settings) { s.maxDownload, s.maxInflated = zipped, inflated }
}

// WithCallContext calls f before each request with a description of it; the request is sent with the context f returns.
// It is how costs and repeatability reach the http.Client below. F must be safe for concurrent use.
func WithCallContext(f func(context.Context, Call) context.Context) Option {
	return func(s *settings) { s.hook = f }
}

var versionPattern = regexp.MustCompile(`^v[2-9](\.[0-9]+)?$`)

// validate fills defaults and refuses contradictions.
func (s *settings) validate() error {
	if s.dc == "" {
		s.dc = US
	}
	ends, err := EndpointsOf(s.dc, s.env)
	if err != nil {
		return err
	}
	if s.endpoint != "" && (s.apiBase != "" || s.uploadBase != "") {
		return errors.New("zoho crm: WithEndpoint excludes WithAPIBase and WithUploadBase")
	}
	if s.apiBase, err = baseURL("API base", s.endpoint, s.apiBase, ends.API); err != nil {
		return err
	}
	if s.uploadBase, err = baseURL("upload base", s.endpoint, s.uploadBase, ends.Upload); err != nil {
		return err
	}
	if s.version == "" {
		s.version = DefaultVersion
	}
	if !versionPattern.MatchString(s.version) {
		return fmt.Errorf("zoho crm: version %q is not of the form v8", s.version)
	}
	if s.maxDownload < 0 || s.maxInflated < 0 {
		return errors.New("zoho crm: a download bound is negative")
	}
	s.defaults()
	return nil
}

func (s *settings) defaults() {
	if s.httpClient == nil {
		s.httpClient = &http.Client{}
	}
	if s.userAgent == "" {
		s.userAgent = "sluice-zoho-crm"
	}
	if s.tempDir == "" {
		s.tempDir = os.TempDir()
	}
	if s.maxDownload == 0 {
		s.maxDownload = DefaultMaxDownload
	}
	if s.maxInflated == 0 {
		s.maxInflated = DefaultMaxInflated
	}
	if s.hook == nil {
		s.hook = func(ctx context.Context, _ Call) context.Context { return ctx }
	}
}

// baseURL returns the first of the candidates that is set, checked and without trailing slash.
func baseURL(what string, candidates ...string) (string, error) {
	for _, c := range candidates {
		if c == "" {
			continue
		}
		u, err := url.Parse(c)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.User != nil {
			return "", fmt.Errorf("zoho crm: the %s must be an http(s) URL with a host and without query or user", what)
		}
		return strings.TrimRight(c, "/"), nil
	}
	return "", fmt.Errorf("zoho crm: no %s", what)
}
