package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/latchkey/latchkey/internal/oauth"
)

// maxRefusals is how many refused requests of one application are kept.
const maxRefusals = 1000

// AddRefusals writes down refused requests, at most UsageBatch of them, and how many more
// were left out for those that were written before.
func (s *Store) AddRefusals(ctx context.Context, refusals []oauth.Refusal, more map[oauth.ID]int64) error {
	return s.write(ctx, func(tx *transaction) error {
		err := inGroups(refusals, func(group []oauth.Refusal) error { return insertRefusals(tx, group) })
		if err != nil {
			return err
		}
		for id, n := range more {
			if _, err := tx.exec(`update refusals set more = more + $1 where id = $2`, n, id[:]); err != nil {
				return err
			}
		}
		var trimmed []oauth.ID
		for _, r := range refusals {
			if slices.Contains(trimmed, r.ApplicationID) {
				continue
			}
			trimmed = append(trimmed, r.ApplicationID)
			_, err := tx.exec(`delete from refusals where id in (select id from refusals where application_id = $1 order by id desc limit $2 offset $3)`,
				r.ApplicationID[:], UsageBatch, maxRefusals)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func insertRefusals(tx *transaction, group []oauth.Refusal) error {
	var args []any
	for _, r := range group {
		advice, err := json.Marshal(storedAdvice{r.Wrong, r.Mend})
		if err != nil {
			return fmt.Errorf("write an advice: %w", err)
		}
		args = append(args, r.ID[:], r.ApplicationID[:], r.Place, r.Code, r.Description, string(advice), r.Address, r.More)
	}
	_, err := tx.exec(`insert into refusals (id, application_id, place, code, description, advice, address, more) values `+
		rowsOf(len(group), 8)+` on conflict do nothing`, args...)
	return err
}

// storedAdvice keeps sentences so that they can be said in any language later.
type storedAdvice struct{ Wrong, Mend oauth.Sentence }

// RefusalFilter chooses among the refused requests of an application.
type RefusalFilter struct {
	// Code is empty for every code.
	Code string
	// Before is where the page before ended, zero for the first.
	Before oauth.ID
	Limit  int
}

// Refusals lists refused requests of an application, the newest first.
func (s *Store) Refusals(ctx context.Context, application oauth.ID, f RefusalFilter) ([]oauth.Refusal, error) {
	of, args := "", []any{application[:], upTo(f.Before), f.Limit}
	if f.Code != "" {
		of, args = ` and code = $4`, append(args, f.Code)
	}
	rows, err := s.engine.db().QueryContext(ctx, `select id, application_id, place, code, description, advice, address, more
		from refusals where application_id = $1 and id < $2`+of+` order by id desc limit $3`, args...)
	return collect(rows, err, scanRefusal)
}

func scanRefusal(r row) (f oauth.Refusal, err error) {
	var stored string
	if err = r.Scan(fixed(f.ID[:]), fixed(f.ApplicationID[:]), &f.Place, &f.Code, &f.Description, &stored, &f.Address, &f.More); err != nil {
		return f, err
	}
	var advice storedAdvice
	if err = json.Unmarshal([]byte(stored), &advice); err != nil {
		return f, fmt.Errorf("read an advice: %w", err)
	}
	f.Wrong, f.Mend = revived(advice.Wrong), revived(advice.Mend)
	return f, nil
}

// revived is a sentence as it was before it was stored, with the numbers and the sentences in it.
func revived(s oauth.Sentence) oauth.Sentence {
	for i, arg := range s.Args {
		switch arg := arg.(type) {
		case float64:
			s.Args[i] = int(arg)
		case map[string]any:
			text, _ := arg["Text"].(string)
			args, _ := arg["Args"].([]any)
			s.Args[i] = revived(oauth.Sentence{Text: text, Args: args})
		}
	}
	return s
}

// RefusalCodes lists the codes among the refused requests of an application.
func (s *Store) RefusalCodes(ctx context.Context, application oauth.ID) ([]string, error) {
	rows, err := s.engine.db().QueryContext(ctx, `select distinct code from refusals where application_id = $1 order by code`, application[:])
	return collect(rows, err, func(r row) (code string, err error) {
		err = r.Scan(&code)
		return code, err
	})
}
