package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// scopesSetting is where a server leaves the scopes it is configured with.
const scopesSetting = "scopes"

type storedScopes struct {
	Scopes  []scopeConfig `json:"scopes"`
	Default []string      `json:"default"`
}

// scopesFor are the configured scopes. Without any, a server takes those with which the
// platform was set up in the browser, and a command those that the last server left.
func (c *config) scopesFor(ctx context.Context, s *store.Store) (oauth.Catalogue, error) {
	if c.catalogue != nil {
		return *c.catalogue, nil
	}
	stored, err := s.Setting(ctx, scopesSetting)
	if errors.Is(err, store.ErrNotFound) || c.serving {
		platform, err := s.Platform(ctx)
		if err != nil {
			return oauth.Catalogue{}, err
		}
		return catalogueOf(scopesOf(platform.Permissions), nil)
	}
	if err != nil {
		return oauth.Catalogue{}, fmt.Errorf("read the scopes of the last server: %w", err)
	}
	var last storedScopes
	if err := json.Unmarshal([]byte(stored), &last); err != nil {
		return oauth.Catalogue{}, fmt.Errorf("read the scopes of the last server: %w", err)
	}
	return catalogueOf(last.Scopes, last.Default)
}

// scopesOf are those of a platform that was set up in the browser, or the built-in ones.
func scopesOf(permissions []oauth.Permission) []scopeConfig {
	if len(permissions) == 0 {
		return builtInScopes()
	}
	var all []scopeConfig
	for _, p := range permissions {
		all = append(all, scopeConfig{Name: p.Name, Description: p.Description})
	}
	return all
}

// leaveScopes tells commands on this data what the server is configured with.
func (h *house) leaveScopes(ctx context.Context, c *config) error {
	left := storedScopes{Scopes: c.scopes, Default: c.defaultScope}
	if c.catalogue == nil {
		left.Scopes = scopesOf(h.scopes.Catalogue().Permissions)
	}
	encoded, err := json.Marshal(left)
	if err != nil {
		return fmt.Errorf("write down the scopes: %w", err)
	}
	return h.store.PutSetting(ctx, scopesSetting, string(encoded))
}
