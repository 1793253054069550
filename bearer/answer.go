package bearer

import (
	"encoding/json"
	"net/http"
)

// refusal is an answer that ends a request.
type refusal struct {
	status    int
	challenge []string
	body      []byte
}

func unavailable(description string) *refusal {
	return &refusal{http.StatusServiceUnavailable, nil, errorBody("temporarily_unavailable", description)}
}

func (f *refusal) write(w http.ResponseWriter) {
	h := w.Header()
	for _, c := range f.challenge {
		h.Add("WWW-Authenticate", c)
	}
	if f.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(f.status)
	w.Write(f.body)
}

func answer(w http.ResponseWriter, status int, code, description string) {
	(&refusal{status: status, body: errorBody(code, description)}).write(w)
}

func errorBody(code, description string) []byte {
	// Two strings always marshal.
	body, _ := json.Marshal(struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
	return body
}
