package main

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/webhook"
)

// webhooksConfig is about what applications are told.
type webhooksConfig struct {
	// Allow are networks to which is delivered although they are not public.
	Allow []string `yaml:"allow"`
	// FirstRetry is how long after a failure a delivery is tried again; the later retries
	// grow with it.
	FirstRetry time.Duration `yaml:"first_retry"`
}

func (c *config) checkWebhooks() error {
	var err error
	if c.webhooks.Allow, err = c.prefixes("webhooks.allow", c.webhooksFile.Allow); err != nil {
		return err
	}
	c.webhooks.FirstRetry = c.webhooksFile.FirstRetry
	if _, configured := c.places["webhooks.first_retry"]; configured && (c.webhooks.FirstRetry < time.Millisecond || c.webhooks.FirstRetry > webhook.MaxFirstRetry) {
		return c.wrong("webhooks.first_retry", " must be between a millisecond and an hour")
	}
	return nil
}

// webhooksFor makes the webhooks of a server with this issuer.
func (h *house) webhooksFor(c *config, issuer string) *webhook.Webhooks {
	settings := c.webhooks
	settings.Exempt = c.exempt
	// An issuer is http on loopback alone: the server is for this machine.
	settings.Loopback = strings.HasPrefix(issuer, "http:")
	return webhook.New(h.store, h.key, rand.Float64, h.log, settings)
}

// deliver runs the webhooks of a server until ctx ends or stop is called, which waits for
// the deliveries under way.
func (h *house) deliver(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.webhooks.Run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}
