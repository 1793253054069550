package storetest

import (
	"errors"
	"fmt"

	"github.com/latchkey/latchkey/internal/oauth"
	"github.com/latchkey/latchkey/internal/store"
)

// agree compares every authorization and every token that ever was with the model.
func (p *play) agree() {
	now := p.clock.Now()
	for _, l := range p.lives {
		if !l.of.deleted {
			row, err := p.store.Authorization(p.ctx, l.code.ID)
			p.sure(err)
			if row.Status != l.status || int(row.Generation) != l.generation {
				p.r.Fatalf("the row has status %v and generation %d; the model %v and %d", row.Status, row.Generation, l.status, l.generation)
			}
		}
		for i, token := range l.accesses {
			p.compare(fmt.Sprintf("the access token of generation %d", i+1), token, l, l.alive(i+1, now))
		}
		// No kind of token passes for another.
		for _, token := range append(l.others, l.code) {
			p.compare("a code or a refresh token", token, l, false)
		}
	}
}

func (p *play) compare(what string, token oauth.Token, l *life, alive bool) {
	_, _, err := p.store.AccessToken(p.ctx, token.ID, token.Hash(oauth.KindAccessToken))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		p.sure(err)
	}
	// The rows of a deleted application are left to the sweeper: nobody can use them.
	if (err == nil) != (alive && !p.disabled) && !l.of.deleted {
		p.r.Fatalf("%s: the store says %v; the model that it lives: %v", what, err, alive)
	}
	usable := alive && !l.of.suspended && !l.of.deleted && !p.orphaned && !p.disabled
	if got := err == nil && p.usable(l); got != usable {
		p.r.Fatalf("%s: usable is %v; the model says %v", what, got, usable)
	}
}

// usable judges, as internal/grant does, who an access token is for.
func (p *play) usable(l *life) bool {
	a, err := p.store.RememberedApplication(p.ctx, l.of.row.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false
	}
	p.sure(err)
	account, err := p.store.RememberedAccount(p.ctx, p.account.ID)
	p.sure(err)
	return !a.Suspended() && !account.Disabled
}
