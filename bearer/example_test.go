package bearer_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/latchkey/latchkey/bearer"
)

func Example() {
	// Stands for Latchkey; a real API gives New its provider's check endpoint.
	latchkey := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Account-Id", "0198c5b2-6a40-7c3e-9d1f-2b7a4e5c6d70")
		w.Header().Set("X-Client-Id", "example-client")
		w.Header().Set("X-Scope", "profile community")
		w.Header().Set("X-Grant-Type", "authorization_code")
	}))
	defer latchkey.Close()

	guard, err := bearer.New(latchkey.URL+"/irk/oauth/check", nil)
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /communities", guard.Require("community")(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			token, _ := bearer.TokenFrom(r.Context())
			fmt.Fprintf(w, "the communities of %s", token.AccountID)
		})))
	api := httptest.NewServer(mux)
	defer api.Close()

	req, _ := http.NewRequest(http.MethodGet, api.URL+"/communities", nil)
	req.Header.Set("Authorization", "Bearer RC5G...")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body))
	// Output: 200 the communities of 0198c5b2-6a40-7c3e-9d1f-2b7a4e5c6d70
}
