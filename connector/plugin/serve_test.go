package plugin

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// served runs "serve" with arguments and returns the address, and a function
// that stops it and returns the exit code.
func served(t *testing.T, args ...string) (address string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan string, 1)
	code := make(chan int, 1)
	said := writer(func(line string) {
		select {
		case heard <- strings.TrimSpace(line):
		default:
		}
	})
	go func() { code <- command(ctx, &fake{}, append([]string{"fake", "serve"}, args...), io.Discard, said) }()
	address, ok := strings.CutPrefix(<-heard, "listening on ")
	if !ok {
		t.Fatalf("serve said %q", address)
	}
	stop = func() int { cancel(); return <-code }
	t.Cleanup(cancel)
	return address, stop
}

func TestAServedConnectorCanBeDialedAndStopped(t *testing.T) {
	address, stop := served(t, "--listen", "127.0.0.1:0")
	p, err := Attach(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	o := newOutbox(3, 10)
	if err := open(t, p, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o); err != nil || len(o.settled) != 30 {
		t.Errorf("settled %d records: %v", len(o.settled), err)
	}
	if code := stop(); code != 0 {
		t.Errorf("serve ended with %d", code)
	}
	if _, err := Dial(t.Context(), address, DialConfig{}); connector.ClassOf(err) != connector.ClassTransient {
		t.Errorf("got %v from a server that has ended", err)
	}
}

func TestAServedConnectorWantsItsToken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, stop := served(t, "--listen", "127.0.0.1:0", "--token-file", file)
	defer stop()
	for _, token := range []string{"", "open-sesam", "open-sesame2"} {
		_, err := Dial(t.Context(), address, DialConfig{Token: token})
		wantError(t, err, connector.ClassAuth, "TOKEN")
	}
	p, err := Dial(t.Context(), address, DialConfig{Token: "open-sesame"})
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
}

// identity writes a certificate for localhost and its key to files, and returns
// what trusts it.
func identity(t *testing.T) (certFile, keyFile string, trust *tls.Config) {
	t.Helper()
	own, err := launchCertificate()
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	certFile, keyFile = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})
	err1 := os.WriteFile(certFile, certPEM, 0o600)
	err2 := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, &tls.Config{RootCAs: roots, ServerName: serverName}
}

func TestWithTLSAndATokenAConnectorIsServedBeyondLoopback(t *testing.T) {
	cert, key, trust := identity(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(tokenFile, []byte("open-sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, stop := served(t, "--listen", ":0", "--tls-cert", cert, "--tls-key", key, "--token-file", tokenFile)
	defer stop()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	here := net.JoinHostPort("127.0.0.1", port)
	p, err := Dial(t.Context(), here, DialConfig{TLS: trust, Token: "open-sesame"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	o := newOutbox(3, 10)
	if err := open(t, p, "").(connector.Outbound).SyncOutbound(t.Context(), outboundSync(), o); err != nil || len(o.settled) != 30 {
		t.Errorf("settled %d records: %v", len(o.settled), err)
	}
	_, err = Dial(t.Context(), here, DialConfig{TLS: trust, Token: "open-sesam"})
	wantError(t, err, connector.ClassAuth, "TOKEN")
	for name, config := range map[string]DialConfig{
		"in the clear":            {Token: "open-sesame"},
		"trusting somebody else":  {TLS: &tls.Config{RootCAs: x509.NewCertPool(), ServerName: serverName}, Token: "open-sesame"},
		"expecting somebody else": {TLS: &tls.Config{RootCAs: trust.RootCAs, ServerName: "example.com"}, Token: "open-sesame"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if q, err := Dial(ctx, here, config); err == nil {
			_ = q.Close()
			t.Errorf("%s, a host reached it", name)
		}
		cancel()
	}
}

func TestSecretsDoNotTravelInTheClear(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:7777", "example.com:1"} {
		var said bytes.Buffer
		if code := command(t.Context(), &fake{}, []string{"fake", "serve", "--listen", address}, io.Discard, &said); code != 1 || !strings.Contains(said.String(), "--tls-cert") {
			t.Errorf("serving at %s: exit code %d, said %q", address, code, said.String())
		}
		if _, err := Dial(t.Context(), address, DialConfig{}); err == nil || connector.AsError(err).Code != "PLAINTEXT" {
			t.Errorf("dialing %s: %v", address, err)
		}
	}
}

func TestCommandLinesThatAreWrong(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "sluice connectors add"},
		{[]string{"run"}, 2, "serve --listen"},
		{[]string{"serve", "--port", "1"}, 2, "-port"},
		{[]string{"serve", "now"}, 2, "now"},
		{[]string{"serve", "--tls-cert", "x"}, 1, "go together"},
		{[]string{"serve", "--token-file", "/no/such"}, 1, "/no/such"},
		{[]string{"serve", "--listen", busy.Addr().String()}, 1, "in use"},
	} {
		var said bytes.Buffer
		code := command(t.Context(), &fake{}, append([]string{"/opt/fake"}, c.args...), io.Discard, &said)
		if code != c.code || !strings.Contains(said.String(), c.says) {
			t.Errorf("%v: exit code %d, said %q", c.args, code, said.String())
		}
	}
}

func TestTheManifestIsPrinted(t *testing.T) {
	var out bytes.Buffer
	if code := command(t.Context(), &fake{}, []string{"fake", "manifest"}, &out, io.Discard); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var m connector.Manifest
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || m.ID != "fake" || len(m.Strategies) != 2 {
		t.Errorf("printed %s: %v", out.String(), err)
	}
}
