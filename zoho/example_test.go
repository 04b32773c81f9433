package zoho_test

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho"
)

func ExampleNew() {
	c := zoho.New()
	m, err := c.Manifest(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Name)
	for _, s := range m.Strategies {
		fmt.Println(s.Name)
	}
	addresses, err := c.NetworkAddresses(context.Background(), connector.Connection{
		Method: "self_client", Answers: connector.Answers{"data_center": {"EU"}, "client_id": {"1000.X"}},
	})
	fmt.Println(addresses[0].Host, addresses[1].Host, err)
	// Output:
	// Zoho CRM
	// Upsert
	// Create
	// Update
	// Mirror
	// Delete
	// accounts.zoho.eu www.zohoapis.eu <nil>
}
