package page

import (
	"strings"
	"testing"

	"github.com/latchkey/latchkey/internal/oauth"
)

func TestWhatAnAdministratorDoesToAnAccountIsNotFarBelowItsConnections(t *testing.T) {
	for n, folded := range map[int]bool{20: false, 21: true} {
		body := rendered(t, AdminAccount{Connections: make([]oauth.Application, n)})
		if strings.Contains(body, "<details><summary>21 applications</summary>") != folded || strings.Count(body, `by <bdi></bdi>`) != n {
			t.Errorf("%d connected applications:\n%s", n, body)
		}
	}
}
