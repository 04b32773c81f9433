package plugin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluiceio/sluice/connector"
)

// sceneArgument makes the test binary the connector of scenes.
const sceneArgument = "scenes"

// scenes is a connector that is written as authors write one, with the managed
// runners; the connection's answer "mode" chooses what happens.
type scenes struct{ fake }

func (s *scenes) Open(ctx context.Context, c connector.Connection) (connector.Session, error) {
	return &sceneSession{fakeSession{ctx: ctx, mode: c.Answers.Get("mode")}}, nil
}

type sceneSession struct{ fakeSession }

// fullError is an error of a class with everything an error may carry.
func fullError(class connector.Class) *connector.Error {
	return &connector.Error{
		Class: class, Code: "APP_CODE", Message: "reading the module Leads: the app said no",
		Fields:     []connector.FieldViolation{{Field: "Email", Description: "is no address"}, {Field: "Phone", Description: "is too long"}},
		RetryAfter: 90 * time.Second, ResetAt: time.Unix(1_800_000_000, 5000).UTC(),
		Help: []connector.Help{{Description: "ask your administrator", URL: "https://example.com/help"}},
	}
}

func (s *sceneSession) Connect(context.Context, connector.Authorization) (connector.Connected, error) {
	return connector.Connected{}, fullError(connector.Class(s.mode))
}

func (s *sceneSession) SyncOutbound(ctx context.Context, about connector.OutboundSync, stream connector.OutboundStream) error {
	if s.mode == "keep" {
		stream.Report(ctx, connector.Report{Keep: &connector.Keep{
			Secrets: connector.Answers{"access_token": {"t2"}}, Parameters: connector.Answers{"api_domain": {"https://api.example.com"}}, ExpiresAt: time.Unix(1_800_000_000, 0).UTC(),
		}})
	}
	m := connector.ManagedOutbound{MaxRecords: 1000, Write: func(ctx context.Context, chunk *connector.Chunk) error {
		if s.mode == "now" {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		for row := range chunk.Len() {
			if strings.HasPrefix(chunk.Records.Columns[0].Texts[row], "bad") {
				chunk.Fail(row, connector.StatusRejected, fullError(connector.ClassRejected), `{"code":"INVALID_DATA"}`)
				continue
			}
			chunk.Succeed(row, "app-"+chunk.Records.Identifiers[row])
		}
		return nil
	}}
	return m.Run(ctx, about, stream)
}

func (s *sceneSession) SyncInbound(ctx context.Context, about connector.InboundSync, stream connector.InboundStream) error {
	m := connector.ManagedInbound{Read: func(ctx context.Context, selection connector.StreamSelection, out *connector.StreamWriter) (string, error) {
		if err := out.Begin([]connector.Column{{Name: "id", Type: connector.Type{Kind: connector.KindInt64}}}); err != nil {
			return "", err
		}
		for i := range int64(3) {
			if err := out.Row(ctx, itoa(i), []string{itoa(9007199254740993 + i)}, nil); err != nil {
				return "", err
			}
			if err := out.Checkpoint(ctx, `{"at":`+itoa(i)+`}`); err != nil {
				return "", err
			}
		}
		if selection.Name == "bad" {
			return "", fullError(connector.ClassSchemaChanged)
		}
		return `{"at":"end"}`, nil
	}}
	return m.Run(ctx, about, stream)
}

// sceneEverywhere runs a test over every way the connector of scenes is reached.
func sceneEverywhere(t *testing.T, test func(t *testing.T, c connector.Connector)) {
	t.Run("direct", func(t *testing.T) { test(t, &scenes{}) })
	t.Run("memory", func(t *testing.T) {
		p, err := InProcess(&scenes{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		test(t, p)
	})
	t.Run("process", func(t *testing.T) {
		path, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		p, err := Launch(t.Context(), LaunchConfig{Path: path, Args: []string{sceneArgument}, Env: []string{"GORACE=atexit_sleep_ms=0"}})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		test(t, p)
	})
}

func TestErrorsOfEveryClassCrossWhole(t *testing.T) {
	sceneEverywhere(t, func(t *testing.T, c connector.Connector) {
		for _, class := range connector.Classes {
			_, err := open(t, c, string(class)).Connect(t.Context(), connector.Authorization{})
			if diff := cmp.Diff(fullError(class), connector.AsError(err), cmpopts.IgnoreFields(connector.Error{}, "Cause")); diff != "" {
				t.Errorf("%s: %s", class, diff)
			}
		}
	})
}

// keeper is a host that notes what it is to keep, and why records failed.
type keeper struct {
	*outbox
	mu      sync.Mutex
	kept    []connector.Keep
	reasons []*connector.Error
	details []string
}

func (k *keeper) Report(ctx context.Context, r connector.Report) {
	if r.Keep != nil {
		k.mu.Lock()
		k.kept = append(k.kept, *r.Keep)
		k.mu.Unlock()
	}
	k.outbox.Report(ctx, r)
}

func (k *keeper) Settle(ctx context.Context, o connector.Outcomes) error {
	k.mu.Lock()
	for _, e := range o.Exceptions {
		k.reasons, k.details = append(k.reasons, e.Error), append(k.details, e.Detail)
	}
	k.mu.Unlock()
	return k.outbox.Settle(ctx, o)
}

func TestFiftyThousandRecordsGetTheirOutcomes(t *testing.T) {
	sceneEverywhere(t, func(t *testing.T, c connector.Connector) {
		k := &keeper{outbox: newOutbox(100, 500)}
		if err := open(t, c, "keep").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), k); err != nil {
			t.Fatal(err)
		}
		failed := 0
		for seq, status := range k.settled {
			want, app := connector.StatusSucceeded, "app-id-"+itoa(seq)
			if seq%7 == 0 {
				want, app = connector.StatusRejected, ""
				failed++
			}
			if status != want || k.apps[seq] != app {
				t.Fatalf("record %d is %s as %q", seq, status, k.apps[seq])
			}
		}
		if len(k.settled) != 50_000 || failed != len(k.reasons) {
			t.Errorf("%d of 50000 records are settled, %d failed with %d reasons", len(k.settled), failed, len(k.reasons))
		}
		if diff := cmp.Diff(fullError(connector.ClassRejected), k.reasons[0]); diff != "" || k.details[0] != `{"code":"INVALID_DATA"}` {
			t.Errorf("the reason changed on the way, or the detail %q:\n%s", k.details[0], diff)
		}
		want := []connector.Keep{{Secrets: connector.Answers{"access_token": {"t2"}}, Parameters: connector.Answers{"api_domain": {"https://api.example.com"}}, ExpiresAt: time.Unix(1_800_000_000, 0).UTC()}}
		if diff := cmp.Diff(want, k.kept); diff != "" {
			t.Errorf("kept:\n%s", diff)
		}
	})
}

// endless is a host that has records for ever, and asks to stop when it has
// given some.
type endless struct {
	*outbox
	stopAt int64
	mode   connector.StopMode
}

func (e *endless) Next(ctx context.Context) (*connector.RecordBatch, error) {
	if e.given.Load() == e.stopAt {
		e.stop <- connector.Stop{Mode: e.mode, Deadline: time.Now().Add(20 * time.Second)}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return e.batch(int(e.given.Add(1) - 1)), nil
}

func TestAStopEndsASyncAndEveryRecordHasAnOutcome(t *testing.T) {
	for mode, scene := range map[connector.StopMode]string{connector.StopDrain: "", connector.StopNow: "now"} {
		t.Run(string(mode), func(t *testing.T) {
			sceneEverywhere(t, func(t *testing.T, c connector.Connector) {
				e := &endless{outbox: newOutbox(0, 1000), stopAt: 3, mode: mode}
				if err := open(t, c, scene).(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), e); err != nil {
					t.Fatal(err)
				}
				if got := int64(len(e.settled)); got != e.given.Load()*1000 {
					t.Errorf("%d records have an outcome, %d were given", got, e.given.Load()*1000)
				}
				for seq, status := range e.settled {
					if scene == "now" && status != connector.StatusDelayed {
						t.Fatalf("record %d is %s", seq, status)
					}
				}
			})
		})
	}
}

// endings notes how streams end.
type endings struct {
	tables
	ends map[string]connector.StreamDone
}

func (e *endings) Done(_ context.Context, d connector.StreamDone) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ends[d.Stream] = d
	return nil
}

func TestAStreamFailsAlone(t *testing.T) {
	sceneEverywhere(t, func(t *testing.T, c connector.Connector) {
		e := &endings{ends: map[string]connector.StreamDone{}}
		if err := open(t, c, "").(connector.Inbound).SyncInbound(t.Context(), inboundSync("good", "bad", "also good"), e); err != nil {
			t.Fatal(err)
		}
		want := map[string]connector.StreamDone{
			"good": {Stream: "good", State: `{"at":"end"}`}, "also good": {Stream: "also good", State: `{"at":"end"}`},
			"bad": {Stream: "bad", Error: fullError(connector.ClassSchemaChanged)},
		}
		if diff := cmp.Diff(want, e.ends, cmpopts.IgnoreFields(connector.Error{}, "Cause")); diff != "" {
			t.Error(diff)
		}
		for _, name := range []string{"good", "bad", "also good"} {
			var of []string
			for _, line := range e.log {
				if strings.HasPrefix(line, name+" ") {
					of = append(of, line)
				}
			}
			if len(of) != 6 || !strings.Contains(of[4], "9007199254740995") || of[5] != name+` checkpoint {"at":2}` {
				t.Errorf("%s: %q", name, of)
			}
		}
	})
}

// brokenStore is a host that cannot make a checkpoint durable.
type brokenStore struct{ tables }

var errStore = errors.New("the disk is full")

func (b *brokenStore) Checkpoint(context.Context, connector.Checkpoint) error {
	return connector.Errorf(connector.ClassTransient, "DISK_FULL", "storing: %w", errStore)
}

func TestAHostThatCannotStoreEndsTheSyncWithItsOwnError(t *testing.T) {
	sceneEverywhere(t, func(t *testing.T, c connector.Connector) {
		if _, direct := c.(*scenes); direct {
			t.Skip("called directly, a connector may end the stream with the error")
		}
		err := open(t, c, "").(connector.Inbound).SyncInbound(t.Context(), inboundSync("a"), &brokenStore{})
		if !errors.Is(err, errStore) {
			t.Errorf("got %v", err)
		}
	})
}

// certificate makes a certificate for 127.0.0.1 and returns the files of it and
// its key.
func certificate(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "connector"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	pool = x509.NewCertPool()
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(text)
	for file, bytes := range map[string][]byte{cert: text, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(file, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, pool
}

func TestAServedConnectorSpeaksTLSAndWantsItsToken(t *testing.T) {
	cert, key, pool := certificate(t)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, stop := served(t, "--listen", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--token-file", token)
	defer stop()
	trust := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	p, err := Dial(t.Context(), address, DialConfig{TLS: trust, Token: "open-sesame"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	o := newOutbox(3, 10)
	if err := open(t, p, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o); err != nil || len(o.settled) != 30 {
		t.Errorf("settled %d records: %v", len(o.settled), err)
	}
	_, err = Dial(t.Context(), address, DialConfig{TLS: trust, Token: "open-sesam"})
	wantError(t, err, connector.ClassAuth, "TOKEN")
	for name, config := range map[string]DialConfig{
		"in the clear":        {Token: "open-sesame"},
		"another certificate": {TLS: &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"}, Token: "open-sesame"},
		"another name":        {TLS: &tls.Config{RootCAs: pool, ServerName: "example.com"}, Token: "open-sesame"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		if _, err := Dial(ctx, address, config); err == nil {
			t.Errorf("%s: the connector was reached", name)
		}
		cancel()
	}
}
