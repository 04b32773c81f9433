// Command slackfake serves a small Slack on a port of this machine, to try the
// Slack connector without a workspace. It prints the URL and the token as JSON,
// and each message that is posted.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/sluiceio/sluice/connector/examples/slack/slackfake"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on")
	flag.Parse()
	if err := serve(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "slackfake:", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fake := slackfake.New(slackfake.Config{})
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(map[string]string{"endpoint_url": "http://" + listener.Addr().String() + "/api", "bot_token": fake.Token()}); err != nil {
		return err
	}
	shown := 0
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fake.ServeHTTP(w, r)
		for messages := fake.Messages(); shown < len(messages); shown++ {
			_ = out.Encode(messages[shown]) // for whoever looks
		}
	}))
}
