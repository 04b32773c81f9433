package zoho

import (
	"context"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// bindOwners prepares the columns that name users by e-mail. A bulk job takes
// the e-mail itself; record calls want an id, so the users are listed. Where the
// connection may not list them, only bulk jobs are left.
func (s *session) bindOwners(ctx context.Context, p *plan) error {
	byMail := func(t target) bool { return isUser(t.field) && t.findBy == "email" }
	if p.path == pathBulk || !slices.ContainsFunc(p.columns, byMail) {
		return nil
	}
	users, err := s.catalog.users(ctx)
	if err != nil {
		if connector.ClassOf(err) != connector.ClassPermission {
			return err
		}
		p.bulkOnly = true
		return nil
	}
	for i := range p.columns {
		if byMail(p.columns[i]) {
			p.columns[i].json = referenceJSON(idField, func(text string) (string, string) {
				if id := users[mailKey(text)]; id != "" {
					return id, ""
				}
				return "", "not the e-mail address of an active user"
			})
		}
	}
	return nil
}

func mailKey(text string) string { return strings.ToLower(strings.TrimSpace(text)) }

// users are the ids of the active users by e-mail address.
func (c *catalog) users(ctx context.Context) (map[string]string, error) {
	return remembered(c, "users", func() (map[string]string, error) {
		out := map[string]string{}
		for u, err := range c.client.Users(ctx, crm.ActiveUsers) {
			if err != nil {
				return nil, translate(err, "listing the users")
			}
			out[mailKey(u.Email)] = u.ID
		}
		return out, nil
	})
}
