package plugin

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"
	"time"
)

// clientCertEnv is the variable in which a host gives its certificate to the
// connector it launches.
const clientCertEnv = "PLUGIN_CLIENT_CERT"

// serverName is who both certificates of a launch are made out to.
const serverName = "localhost"

// certificateLife outlasts any run. A certificate is made for one launch and
// is trusted by nobody after it.
const certificateLife = 365 * 24 * time.Hour

// launchCertificate makes the certificate of one end of a launch, which is its
// own authority. go-plugin makes its own ones with keys on the curve P-521, which
// BoringSSL, and with it gRPC in Python, C++, Ruby and PHP, refuses to verify;
// P-256 is taken by every stack that is known.
func launchCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(certificateLife), BasicConstraintsValid: true, IsCA: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// hostTLS makes the host's end of mutual TLS, and the variable that tells the
// connector of it. The configuration trusts nobody until go-plugin puts the
// certificate of the handshake line into it.
func hostTLS() (config *tls.Config, env string, err error) {
	own, err := launchCertificate()
	if err != nil {
		return nil, "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]})
	return &tls.Config{
		Certificates: []tls.Certificate{own}, RootCAs: x509.NewCertPool(), ServerName: serverName, MinVersion: tls.VersionTLS12,
	}, clientCertEnv + "=" + string(text), nil
}

// connectorTLS makes the connector's end of mutual TLS with a host that gave its
// certificate in PEM, and what the handshake line says of it. Without one there
// is no TLS.
func connectorTLS(hostPEM string) (config *tls.Config, hello string, err error) {
	if hostPEM == "" {
		return nil, "", nil
	}
	hosts := x509.NewCertPool()
	if !hosts.AppendCertsFromPEM([]byte(hostPEM)) {
		return nil, "", errors.New(clientCertEnv + " holds no certificate in PEM")
	}
	own, err := launchCertificate()
	if err != nil {
		return nil, "", err
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own}, ClientCAs: hosts, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}, base64.RawStdEncoding.EncodeToString(own.Certificate[0]), nil
}

// announce has the handshake line, which go-plugin writes to os.Stdout without a
// certificate that it did not make itself, arrive at the host with one.
func announce(certificate string) error {
	if certificate == "" {
		return nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	stdout := os.Stdout
	os.Stdout = w // go-plugin puts another file in its place after the line
	go func() {
		defer r.Close()
		defer w.Close()
		line, err := bufio.NewReader(r).ReadString('\n')
		if err == nil {
			_, err = io.WriteString(stdout, withCertificate(line, certificate))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "writing the handshake line:", err)
		}
	}()
	return nil
}

// withCertificate puts a certificate into the sixth field of a handshake line.
func withCertificate(line, certificate string) string {
	fields := strings.Split(strings.TrimRight(line, "\n"), "|")
	for len(fields) < 6 {
		fields = append(fields, "")
	}
	fields[5] = certificate
	return strings.Join(fields, "|") + "\n"
}
