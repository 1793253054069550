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
	// cause is for the log: why there is no answer of Latchkey's own.
	cause error
}

func unavailable(description string, cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, body: errorBody("temporarily_unavailable", description), cause: cause}
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

// errorObject is the body of an error (RFC 6749 §5.2).
type errorObject struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func errorBody(code, description string) []byte {
	// Two strings always marshal.
	body, _ := json.Marshal(errorObject{code, description})
	return body
}

// readError reports whether a body is that of an error.
func readError(body []byte) (e errorObject, ok bool) {
	err := json.Unmarshal(body, &e)
	return e, err == nil && e.Error != ""
}
