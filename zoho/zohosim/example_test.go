package zohosim_test

import (
	"fmt"
	"log"
	"net/http"

	"github.com/sluiceio/sluice/zoho/zohosim"
)

// A client under test is pointed at the base URL; here one call is answered 429 once and then succeeds.
func Example() {
	sim, err := zohosim.New(zohosim.Config{Edition: "professional", Users: 5})
	if err != nil {
		log.Fatal(err)
	}
	defer sim.Close()
	base, err := sim.Start()
	if err != nil {
		log.Fatal(err)
	}
	err = sim.Fault(zohosim.Fault{
		Match:  zohosim.Match{Method: "GET", PathPattern: "/org$", Nth: 1},
		Action: zohosim.Action{Kind: zohosim.ActionStatus, Status: 429, RetryAfter: "1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		req, err := http.NewRequest("GET", base+"/crm/v8/org", nil)
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Authorization", "Zoho-oauthtoken "+sim.NewAccessToken("ZohoCRM.org.READ"))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	fmt.Println(sim.Credits().Limit, sim.Credits().Spent)
	// Output:
	// 429 "1"
	// 200 ""
	// 52500 1
}

// Made-up records are the same for the same seed.
func ExampleGenerate() {
	for rec := range zohosim.Generate("Vehicles", 2, 1) {
		fmt.Println(rec["VIN"])
	}
	// Output:
	// K0100000007000000
	// K0100000007000001
}
