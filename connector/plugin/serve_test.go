package plugin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
