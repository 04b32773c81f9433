package plugin

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
)

// takenByEveryStack checks a certificate against what BoringSSL verifies, the
// strictest of the stacks that hosts and connectors are written with.
func takenByEveryStack(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := c.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() || c.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		t.Errorf("a certificate of %v signed with %v, want P-256 and SHA-256", c.PublicKeyAlgorithm, c.SignatureAlgorithm)
	}
	roots := x509.NewCertPool()
	roots.AddCert(c)
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := c.Verify(x509.VerifyOptions{DNSName: serverName, Roots: roots, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
			t.Error(err)
		}
	}
	return c
}

func TestTheHostsCertificateIsTakenByEveryStack(t *testing.T) {
	var out bytes.Buffer
	_, err := Launch(t.Context(), LaunchConfig{Path: script(t, `echo "$PLUGIN_CLIENT_CERT" >&2; exit 1`), Stderr: &out})
	wantError(t, err, connector.ClassConfig, "CONNECTOR_EXITED")
	block, _ := pem.Decode(out.Bytes())
	if block == nil {
		t.Fatalf("the program was given %q", out.String())
	}
	takenByEveryStack(t, block.Bytes)
}

// byHand starts this test binary as a connector, as a host in another language
// would, and returns the fields of the handshake line.
func byHand(t *testing.T, env ...string) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(t.Context(), path)
	program.Env = append([]string{CookieKey + "=" + CookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + t.TempDir(), "GORACE=atexit_sleep_ms=0"}, env...)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = program.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("no handshake line: %v", err)
	}
	return strings.Split(strings.TrimSpace(line), "|")
}

func TestTheConnectorsCertificateIsTakenByEveryStackAndOnlyTheHostIsLetIn(t *testing.T) {
	config, env, err := hostTLS()
	if err != nil {
		t.Fatal(err)
	}
	for name, multiplex := range map[string]string{"alone": "", "before another field": "PLUGIN_MULTIPLEX_GRPC=true"} {
		t.Run(name, func(t *testing.T) {
			fields := byHand(t, env, multiplex)
			if len(fields) < 6 || fields[0] != "1" || fields[2] != "unix" || fields[4] != "grpc" {
				t.Fatalf("the handshake line has the fields %q", fields)
			}
			der, err := base64.RawStdEncoding.DecodeString(fields[5])
			if err != nil {
				t.Fatal(err)
			}
			cert := takenByEveryStack(t, der)
			own := config.Clone()
			own.RootCAs.AddCert(cert)
			own.NextProtos = []string{"h2"}
			stranger := own.Clone()
			strangers, err := launchCertificate()
			if err != nil {
				t.Fatal(err)
			}
			stranger.Certificates = []tls.Certificate{strangers}
			nobody := own.Clone()
			nobody.Certificates = nil
			if multiplex != "" {
				return // another protocol is spoken on the socket
			}
			if err := greeted(t, fields[3], own); err != nil {
				t.Errorf("the host is refused: %v", err)
			}
			for who, c := range map[string]*tls.Config{"a stranger": stranger, "a client without a certificate": nobody} {
				if err := greeted(t, fields[3], c); err == nil {
					t.Errorf("%s is let in", who)
				}
			}
		})
	}
}

// greeted reports whether the server at a socket goes on after TLS.
func greeted(t *testing.T, socket string, config *tls.Config) error {
	t.Helper()
	raw, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(t.Context()); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1)) // of the server's HTTP/2 settings
	return err
}

func TestWithoutAHostsCertificateThereIsNoTLS(t *testing.T) {
	fields := byHand(t)
	if len(fields) > 5 && fields[5] != "" {
		t.Errorf("the handshake line has the fields %q", fields)
	}
}

func TestAHostsCertificateThatIsNoneIsSaidSo(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := exec.CommandContext(t.Context(), path)
	program.Env = []string{CookieKey + "=" + CookieValue, clientCertEnv + "=none", "GORACE=atexit_sleep_ms=0"}
	said, err := program.CombinedOutput()
	if err == nil || !strings.Contains(string(said), "PLUGIN_CLIENT_CERT holds no certificate") {
		t.Errorf("it ended with %v and said %q", err, said)
	}
}
