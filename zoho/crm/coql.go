package crm

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
)

var coqlLimit = regexp.MustCompile(`(?i)\blimit\s+(?:(\d+)\s*,\s*)?(\d+)`)

// COQL runs a query and returns its rows; More says that an offset would find others. Zoho demands a where clause, and
// pages differ on whether LIMIT may be 200 or 2,000. A query without result gives an empty page.
//
// https://www.zoho.com/crm/developer/docs/api/v8/COQL-Overview.html
func (c *Client) COQL(ctx context.Context, query string) (Page, error) {
	if query == "" {
		return Page{}, argumentError(OpCOQL, "no query")
	}
	body, err := json.Marshal(map[string]string{"select_query": query})
	if err != nil {
		return Page{}, argumentError(OpCOQL, "%v", err)
	}
	limit := 200
	if all := coqlLimit.FindAllStringSubmatch(query, -1); len(all) > 0 {
		if n, err := strconv.Atoi(all[len(all)-1][2]); err == nil {
			limit = n
		}
	}
	return c.recordPage(ctx, request{
		call: newCall(OpCOQL, "", limit, true), method: http.MethodPost, url: c.apiURL("coql"),
		contentType: "application/json", body: BytesBody(body),
	})
}
