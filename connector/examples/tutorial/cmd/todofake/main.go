// Command todofake serves the tutorial's service on a port of this machine.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"os"

	"github.com/sluiceio/sluice/connector/examples/tutorial/todofake"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:7799", "address to listen on")
	key := flag.String("key", "let-me-in", "the key that is good")
	flag.Parse()
	fmt.Fprintln(os.Stderr, "todofake:", http.ListenAndServe(*listen, todofake.New(*key)))
	os.Exit(1)
}
