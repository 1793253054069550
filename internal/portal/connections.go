package portal

import (
	"net/http"

	"github.com/latchkey/latchkey/internal/grant"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/signin"
)

func (p *Portal) listConnections(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	connections, err := p.Grants.Connections(r.Context(), person.Account.ID)
	if err != nil {
		return err
	}
	content := page.Connections{Frame: frame(r, person, "connections", oauth.Say("Connected applications"))}
	for _, c := range connections {
		content.Connections = append(content.Connections, p.connectionOf(c))
	}
	p.Pages.Write(w, r, http.StatusOK, content)
	return nil
}

func (p *Portal) connectionOf(c grant.Connection) page.Connection {
	shown := page.Connection{
		Application: c.Application, Since: c.Since, EndsAt: c.EndsAt,
		UsedAt: c.Used.At, Network: c.Used.Network, RefreshedAt: c.Refreshed,
	}
	for _, name := range c.Scope.Tokens() {
		if permission, ok := p.Grants.Catalogue().Find(name); ok {
			shown.Permissions = append(shown.Permissions, page.Permitted{Permission: permission, Used: c.Used.Scope.Has(name)})
		}
	}
	return shown
}

func (p *Portal) disconnect(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	a, err := p.Applications.Find(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := p.Grants.Disconnect(r.Context(), person.Account.ID, a.ID); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/connections", "disconnected")
	return nil
}

func (p *Portal) disconnectAll(w http.ResponseWriter, r *http.Request, person *signin.Person) error {
	if err := p.Grants.DisconnectAll(r.Context(), person.Account.ID); err != nil {
		return err
	}
	p.Door.LeadTo(w, "/settings/connections", "all-disconnected")
	return nil
}
