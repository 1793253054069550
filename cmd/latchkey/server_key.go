package main

import (
	"context"
	"encoding/hex"
	"fmt"
)

// serverKeySetting is where a server leaves the name of its key.
const serverKeySetting = "server_key_id"

// noticeKey warns when this data was served with another server key before: nothing fails at
// once then, and what does fail later looks like somebody else's fault.
func (h *house) noticeKey(ctx context.Context) error {
	id := h.key.ID()
	name := hex.EncodeToString(id[:])
	before, err := h.store.SwapSetting(ctx, serverKeySetting, name)
	if err != nil {
		return fmt.Errorf("write down which server key is used: %w", err)
	}
	if before != "" && before != name {
		h.log.Warn("the server key is not the one that this data was last served with; put that one back if you have it",
			"likely_causes", "server.key was deleted, replaced or not brought along to this data folder; or replicas do not share one key by --server-key-file or LATCHKEY_SERVER_KEY",
			"effects", "refreshes from before cannot be repeated, and refresh tokens that were replaced before are not recognised as stolen; "+
				"webhooks have other secrets, which their receivers have to be given; consent pages that are open have to be opened again")
	}
	return nil
}
