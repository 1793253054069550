package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/latchkey/latchkey/internal/admin"
	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/page"
	"github.com/latchkey/latchkey/internal/store"
)

// beginFirstRun makes the link with which an empty platform is set up, and returns an
// empty one where there is an account already. The link is secret: it is printed, not
// logged.
func (h *house) beginFirstRun(ctx context.Context, issuer string) (string, error) {
	inhabited, err := h.store.Inhabited(ctx)
	if err != nil || inhabited {
		return "", err
	}
	key, err := oauth.NewClientSecret(rand.Reader)
	if err != nil {
		return "", err
	}
	return issuer + "/first-run?key=" + key, h.store.BeginFirstRun(ctx, oauth.HashFirstRunKey(key))
}

// firstRunLook is how often a server looks whether its platform was set up at another
// replica.
const firstRunLook = 2 * time.Second

// awaitFirstRun goes by what was said of a platform without an administrator, wherever
// that was, as soon as there is one. Where there is one from the start it looks once: the
// platform may have been set up since this server read how it is.
func (h *house) awaitFirstRun(ctx context.Context, c *config) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(firstRunLook):
		}
		administered, err := h.store.Administered(ctx)
		if err == nil && administered {
			var p oauth.Platform
			if p, err = h.store.Platform(ctx); err == nil {
				err = h.begin(ctx, c, p)
			}
			if err == nil {
				return
			}
		}
		if err != nil && ctx.Err() == nil {
			h.log.Warn("whether the platform was set up cannot be read; it is tried again", "cause", err)
		}
	}
}

// begin makes this server go by what was said of its platform, as far as the
// configuration file says nothing else, and tells commands of the scopes.
func (h *house) begin(ctx context.Context, c *config, p oauth.Platform) error {
	if c.brand.Name == "" && p.Name != "" {
		h.pages.Rename(p.Name)
	}
	if c.catalogue != nil || len(p.Permissions) == 0 {
		return nil
	}
	catalogue, err := catalogueOf(scopesOf(p.Permissions), nil)
	if err != nil {
		return err
	}
	h.scopes.Replace(catalogue)
	return h.leaveScopes(ctx, c)
}

func (h *house) firstRun(c *config, secure bool) admin.FirstRun {
	f := admin.FirstRun{
		Name: c.brand.Name, Secure: secure,
		Begin: func(ctx context.Context, p oauth.Platform) error { return h.begin(ctx, c, p) },
	}
	if c.catalogue != nil {
		f.Permissions = c.catalogue.Permissions
	}
	return f
}

// brandFor is the configured brand, under the name with which the platform was set up
// where none is configured.
func (c *config) brandFor(ctx context.Context, s *store.Store) (page.Brand, error) {
	brand := c.brand
	if brand.Name != "" {
		return brand, nil
	}
	p, err := s.Platform(ctx)
	brand.Name = p.Name
	return brand, err
}
