package store

import (
	"os"
	"testing"

	realpostgres "github.com/latchkey/latchkey/e2e/postgres"
)

func TestMain(m *testing.M) { os.Exit(realpostgres.Run(m)) }
