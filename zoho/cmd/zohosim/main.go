// Command zohosim serves a simulated Zoho CRM organisation on a port.
//
//	zohosim --listen 127.0.0.1:9000 --generate Accounts=10000 --json
//
// It prints one line when it is ready: the base URL and credentials, as JSON with --json. SIGTERM or SIGINT stops it
// after the calls in flight. Its live page is at /_sim/.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // works on machines without a zone database

	"github.com/sluiceio/sluice/zoho/zohosim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "zohosim:", err)
		os.Exit(1)
	}
}

type options struct {
	conf      zohosim.Config
	listen    string
	seed      string
	ready     string
	json      bool
	generate  []string
	redirects []string
	variants  string
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("zohosim", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to listen on; port 0 picks a free one")
	f.StringVar(&o.conf.Edition, "edition", "enterprise", "edition of the organisation")
	f.IntVar(&o.conf.Users, "users", 10, "licensed users")
	f.IntVar(&o.conf.AddOnCredits, "add-on-credits", 0, "bought credits")
	f.StringVar(&o.conf.TimeZone, "time-zone", "", "time zone of the connected user (default America/Los_Angeles)")
	f.DurationVar(&o.conf.JobDuration, "job-duration", 2*time.Second, "how long bulk jobs take")
	f.IntVar(&o.conf.JobPolls, "job-polls", 0, "let bulk jobs finish at this status poll instead")
	f.IntVar(&o.conf.PageRows, "page-rows", 0, "rows in a bulk read page (default 200000)")
	f.DurationVar(&o.conf.TokenLifetime, "token-lifetime", time.Hour, "life of an access token")
	f.DurationVar(&o.conf.GrantLifetime, "grant-lifetime", 2*time.Minute, "life of a grant code")
	f.BoolVar(&o.conf.AutoConsent, "auto-consent", false, "authorize page redirects at once")
	f.BoolVar(&o.conf.DisableCredits, "no-credit-limit", false, "do not enforce credits")
	f.BoolVar(&o.conf.DisableConcurrency, "no-concurrency-limit", false, "do not enforce concurrency")
	f.BoolVar(&o.conf.DisableDownloadLimit, "no-download-limit", false, "do not enforce the download rate")
	f.BoolVar(&o.conf.DisableTokenThrottle, "no-token-throttle", false, "do not throttle tokens")
	f.StringVar(&o.conf.ClientID, "client-id", "", "OAuth client id (default random)")
	f.StringVar(&o.conf.ClientSecret, "client-secret", "", "OAuth client secret (default random)")
	f.StringVar(&o.conf.RefreshToken, "refresh-token", "", "built-in refresh token (default random)")
	f.StringVar(&o.conf.BaseURL, "base-url", "", "URL clients see (default from each request)")
	f.StringVar(&o.conf.Dir, "dir", "", "directory for uploads and results (default temporary)")
	f.StringVar(&o.seed, "seed", "", "JSON or txtar file to begin from")
	f.StringVar(&o.variants, "variants", "", `variants as JSON, such as {"status_case":"lower"}`)
	f.StringVar(&o.ready, "ready-file", "", "write the JSON line to this file when ready")
	f.BoolVar(&o.json, "json", false, "print the line as JSON")
	f.Func("generate", "add made-up records, Module=count; may be repeated", func(v string) error { o.generate = append(o.generate, v); return nil })
	f.Func("redirect-uri", "registered redirect URI; may be repeated (default any loopback URI)", func(v string) error { o.redirects = append(o.redirects, v); return nil })
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	o.conf.RedirectURIs = o.redirects
	if o.variants != "" {
		if err := json.Unmarshal([]byte(o.variants), &o.conf.Variants); err != nil {
			return nil, fmt.Errorf("--variants: %w", err)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	sim, err := zohosim.New(o.conf)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sim.Close()) }()
	if err = fill(sim, o); err != nil {
		return err
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	if err = announce(sim, sim.Serve(l), o, stdout); err != nil {
		return err
	}
	<-ctx.Done()
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return sim.Shutdown(grace)
}

func fill(sim *zohosim.Sim, o *options) error {
	if o.seed != "" {
		data, err := os.ReadFile(o.seed)
		if err != nil {
			return err
		}
		if err = sim.Seed(data); err != nil {
			return err
		}
	}
	for _, g := range o.generate {
		module, count, _ := strings.Cut(g, "=")
		n, err := strconv.Atoi(count)
		if err != nil || n < 0 {
			return fmt.Errorf("--generate %s: want Module=count", g)
		}
		if err = sim.Generate(module, n, 1); err != nil {
			return err
		}
	}
	return nil
}

// announce writes the ready file, complete at once under its name, and then prints the line: who reads the line finds
// the file.
func announce(sim *zohosim.Sim, base string, o *options, stdout io.Writer) error {
	e := sim.Endpoint(base)
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if o.ready != "" {
		if err := writeReady(o.ready, line); err != nil {
			return err
		}
	}
	if o.json {
		_, err = fmt.Fprintf(stdout, "%s\n", line)
		return err
	}
	_, err = fmt.Fprintf(stdout, "zohosim ready at %s client_id=%s client_secret=%s refresh_token=%s grant_code=%s org_id=%s\n",
		e.BaseURL, e.ClientID, e.ClientSecret, e.RefreshToken, e.GrantCode, e.OrgID)
	return err
}

func writeReady(path string, line []byte) error {
	if err := os.WriteFile(path+".tmp", append(line, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
