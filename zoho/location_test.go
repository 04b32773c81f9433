package zoho

import (
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/zohosim"
)

// rerouted sends whatever is meant for Zoho's hosts to the simulator and
// remembers the hosts.
type rerouted struct {
	to *url.URL

	mu    sync.Mutex
	hosts []string
}

func (r *rerouted) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	if !slices.Contains(r.hosts, req.URL.Host) {
		r.hosts = append(r.hosts, req.URL.Host)
	}
	r.mu.Unlock()
	clone := req.Clone(req.Context())
	clone.URL.Scheme, clone.URL.Host = r.to.Scheme, r.to.Host
	return http.DefaultTransport.RoundTrip(clone)
}

// abroad is a world whose hosts are Zoho's own, served by the simulator.
func abroad(t *testing.T, apiDomain string) (*world, *rerouted) {
	t.Helper()
	w := newWorld(t, func(c *zohosim.Config) { c.BaseURL = apiDomain })
	to, err := url.Parse(w.base)
	if err != nil {
		t.Fatal(err)
	}
	road := &rerouted{to: to}
	w.connector = New(WithTransport(road), WithPolling(time.Millisecond, 20*time.Millisecond), WithTempDir(t.TempDir()), WithLogger(slog.New(slog.DiscardHandler)))
	w.connection.Method = methodOAuth
	delete(w.connection.Answers, fieldEndpointURL)
	delete(w.connection.Secrets, keptRefreshToken)
	return w, road
}

func TestTheCodeIsExchangedWhereItWasIssued(t *testing.T) {
	t.Parallel()
	w, road := abroad(t, "https://www.zohoapis.eu")
	got, err := w.open().Connect(t.Context(), connector.Authorization{
		Code: w.sim.NewGrantCode(strings.Join(scopesFor(nil), ",")), RedirectURI: "http://127.0.0.1:1/callback",
		Parameters: map[string]string{"location": "eu", "accounts-server": "https://accounts.zoho.eu"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got.Parameters.Get(keptDataCenter) != "EU" || got.Parameters.Get(keptAPIDomain) != "https://www.zohoapis.eu" || got.Parameters.Get(keptAccounts) != "https://accounts.zoho.eu" {
		t.Errorf("parameters %v", got.Parameters)
	}
	if !slices.ContainsFunc(got.Addresses, func(a connector.NetworkAddress) bool { return a.Host == "www.zohoapis.eu" }) || len(got.Notices) == 0 {
		t.Errorf("addresses %v, notices %v", got.Addresses, got.Notices)
	}
	w.keep(got)
	if _, err := w.open().Streams(t.Context(), connector.StreamQuery{}); err != nil {
		t.Error(err)
	}
	header := []string{"Last_Name", "Company", "External_Key"}
	out := newOut(t, batchOf(connector.ActionCreate, header, 1, []string{"Ray", "Acme", "k"}))
	w.must(syncFor(connector.StrategyUpsert, upsertAnswers(pathBulk), header), out)
	out.want(connector.StatusSucceeded, 1)
	slices.Sort(road.hosts)
	if want := []string{"accounts.zoho.eu", "content.zohoapis.eu", "www.zohoapis.eu"}; !slices.Equal(road.hosts, want) {
		t.Errorf("hosts %v, want %v", road.hosts, want)
	}
}

func TestConsentForAnotherEnvironmentIsRefused(t *testing.T) {
	t.Parallel()
	w, _ := abroad(t, "https://sandbox.zohoapis.com")
	_, err := w.open().Connect(t.Context(), connector.Authorization{
		Code: w.sim.NewGrantCode(strings.Join(scopesFor(nil), ",")), Parameters: map[string]string{"location": "us", "accounts-server": "https://accounts.zoho.com"},
	})
	e := connector.AsError(err)
	if e == nil || e.Class != connector.ClassConfig || e.Code != "WRONG_ENVIRONMENT" || e.Fields[0].Field != fieldEnvironment {
		t.Errorf("got %v", err)
	}
}

func TestAProductionHostDoesNotOverruleTheChosenEnvironment(t *testing.T) {
	t.Parallel()
	w, road := abroad(t, "https://www.zohoapis.com")
	w.connection.Answers[fieldEnvironment] = []string{"sandbox"}
	got, err := w.open().Connect(t.Context(), connector.Authorization{
		Code: w.sim.NewGrantCode(strings.Join(scopesFor(nil), ",")), Parameters: map[string]string{"location": "us", "accounts-server": "https://accounts.zoho.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.keep(got)
	if _, err := w.open().Streams(t.Context(), connector.StreamQuery{}); err != nil {
		t.Error(err)
	}
	if !slices.Contains(road.hosts, "sandbox.zohoapis.com") || slices.Contains(road.hosts, "www.zohoapis.com") {
		t.Errorf("hosts %v", road.hosts)
	}
}
