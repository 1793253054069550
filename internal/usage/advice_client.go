package usage

import (
	"strconv"
	"strings"
	"time"

	"github.com/latchkey/latchkey/internal/oauth"
)

const (
	typeForm = "application/x-www-form-urlencoded"
	typeJSON = "application/json"
)

// whichBody explains a body that is not what its type says.
func (a Attempt) whichBody(refusal *oauth.Error, _ time.Time) advice {
	if a.Place != "token" && a.Place != "revoke" && a.Place != "introspect" {
		return advice{}
	}
	set := oauth.Say("Set the header Content-Type to application/x-www-form-urlencoded or to application/json, as the body is.")
	switch {
	case refusal.Code == oauth.TooLarge:
		return advice{mend: oauth.Say("Send the parameters of the request alone.")}
	case a.Encoded:
		return advice{oauth.Say("The body has a Content-Encoding, such as gzip."), oauth.Say("Send it as it is, without the header Content-Encoding.")}
	case a.ContentType == typeForm && (a.LooksJSON || strings.HasPrefix(a.Parameters.Encode(), "%7B")):
		// Read as a form, an object of JSON is a parameter that begins like one.
		return advice{oauth.Say("The body is JSON, but its Content-Type says that it is a form."), oauth.Say("Set the header Content-Type to application/json.")}
	case a.Proven:
		return advice{}
	case a.ContentType == "":
		return advice{oauth.Say("The request has no Content-Type."), set}
	case a.ContentType == "multipart/form-data":
		return advice{oauth.Say("The body is multipart/form-data, as for the upload of a file."), oauth.Say("Send it as application/x-www-form-urlencoded; in JavaScript, pass URLSearchParams instead of FormData.")}
	case a.ContentType != typeForm && a.ContentType != typeJSON:
		return advice{oauth.Say("The Content-Type is neither of those that are read."), set}
	case a.ContentType == typeJSON && !a.LooksJSON:
		return advice{oauth.Say("The Content-Type says JSON, but the body is none."), oauth.Say("Send a JSON object whose values are all strings, or set the header Content-Type to application/x-www-form-urlencoded.")}
	case a.ContentType == typeJSON && a.Unreadable:
		return advice{mend: oauth.Say("Send a JSON object whose values are all strings.")}
	}
	return advice{}
}

// whichClient explains why an application could not prove who it is.
func (a Attempt) whichClient(refusal *oauth.Error, _ time.Time) advice {
	if a.Proven || a.Place == "authorize" {
		return advice{}
	}
	switch {
	case a.Unreadable:
		return advice{mend: oauth.Say("Encode the body as a form, as the libraries for HTTP do: parameters of the form name=value, joined by &.")}
	case refusal.Code == oauth.InvalidRequest && a.Place != "check" && a.Place != "me":
		return advice{mend: oauth.Say("Send the credentials in one place: by HTTP Basic, or as client_id and client_secret in the body.")}
	case refusal.Code != oauth.InvalidClient:
		return advice{}
	case a.NotBasic:
		return advice{oauth.Say("The Authorization header is not HTTP Basic with client_id and client_secret."), oauth.Say("Send Basic and the base64 of client_id:client_secret in it, or leave it out and send both in the body.")}
	case a.Application.Public && a.Secret != "":
		return advice{oauth.Say("A client_secret came, but the application is public and has none."), oauth.Say("Send client_id alone, and a code_verifier with the code.")}
	case a.Secret == "":
		return advice{oauth.Say("No client_secret came."), oauth.Say("Send it by HTTP Basic, or as client_secret in the body. If it comes from a variable of the environment, that may be empty where the application runs.")}
	}
	if wrong := a.wrapped(); !wrong.IsZero() {
		return advice{wrong, oauth.Say("Take it away where the secret is configured. A file, or a variable of the environment, often ends with a line break.")}
	}
	return advice{a.wrongSecret(), oauth.Say("Use the secret that was shown when it was made. If nobody has it any more, replace it in the settings of the application.")}
}

// wrapped says what stands around a secret.
func (a Attempt) wrapped() oauth.Sentence {
	switch {
	case strings.TrimSpace(a.Secret) != a.Secret:
		return oauth.Say("The client_secret has a space or a line break around it.")
	case strings.Trim(a.Secret, `"'`) != a.Secret:
		return oauth.Say("The client_secret has quotation marks around it.")
	}
	return oauth.Sentence{}
}

// wrongSecret says of a secret that does not work what is wrong with it.
func (a Attempt) wrongSecret() oauth.Sentence {
	replaced := a.Application.PreviousSecretHash.Matches(oauth.HashClientSecret(a.Application.ID, a.Secret))
	switch {
	case a.Secret == a.Application.ClientID:
		return oauth.Say("The client_secret that came is the client_id.")
	case replaced:
		return oauth.Say("The client_secret is the one that was replaced; it ended on %s.", moment(a.Application.PreviousSecretEndsAt))
	case len(a.Secret) != 64:
		return counted(len(a.Secret), oauth.Say("The client_secret has one character; a secret has 64."),
			oauth.Say("The client_secret has %s characters; a secret has 64.", strconv.Itoa(len(a.Secret))))
	case strings.Trim(a.Secret, "0123456789abcdef") != "":
		return oauth.Say("The client_secret has other characters than a secret, which is made of 0 to 9 and a to f.")
	}
	return oauth.Say("The client_secret is none of this application, or one that was replaced twice.")
}

// moment is a time as everybody reads it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
