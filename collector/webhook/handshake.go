package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
)

// Before a tool sends news, many try whether the address is meant: they send a word and want it back. What is said back
// is text that no browser runs, and none of it is stored. No address in such a request is ever called, so tools that
// want that (SNS, CloudEvents' callback) need a person.

// A handshake's body is short.
const maxHandshake = 16 << 10

// firstContact answers a GET that tries the address; false if it is none.
func (h *Handler) firstContact(w http.ResponseWriter, r *http.Request, src *source) bool {
	if word := r.Header.Get("X-Okta-Verification-Challenge"); word != "" && src.Type == "okta" { // https://developer.okta.com/docs/concepts/event-hooks/
		if !isWord(word) {
			word = ""
		}
		send(w, http.StatusOK, "application/json", map[string]string{"verification": word})
		return true
	}
	q := r.URL.Query()
	word := q.Get("hub.challenge") // Meta; WebSub without a token of its own
	switch mode := q.Get("hub.mode"); {
	case word != "" && (mode == "subscribe" || mode == "unsubscribe"):
		if !matches([]string{q.Get("hub.verify_token")}, src.Secrets) && h.caller(r, src, "") == stranger {
			h.unauthorized(w, r, src)
			return true
		}
	case len(q) == 1 && q.Get("challenge") != "": // Dropbox, which signs its posts and so needs no secret in the address
		word = q.Get("challenge")
	default:
		return false
	}
	echo(w, word)
	return true
}

// echo sends a word back, if it is one: letters, digits and the signs of tokens and of Microsoft's sentence.
func echo(w http.ResponseWriter, word string) {
	if !isWord(word) {
		word = ""
	}
	sendText(w, http.StatusOK, "text/plain; charset=utf-8", word)
}

func isWord(s string) bool { return len(s) <= 1024 && wordForm.MatchString(s) }

var wordForm = regexp.MustCompile(`^[\w .,:;~+/=-]+$`)

// bringsToken tells a post whose only word is a secret that the operator has to give back to the tool: Notion's first, with
// the token that its webhook is confirmed with and that signs all later ones (https://developers.notion.com/reference/webhooks).
// There the token stays as it came, in quarantine, where only the operator sees it.
func bringsToken(tool string, body []byte) bool {
	var m map[string]string
	return tool == "notion" && len(body) <= maxHandshake && json.Unmarshal(body, &m) == nil && len(m) == 1 && m["verification_token"] != ""
}

// errToken is what stands beside it.
var errToken = errors.New("this brings the verification_token of a webhook: paste what `quietpost quarantine show` prints into Notion, " +
	"add it to the source's secret_file, then drop this from quarantine")

// handshake answers a post of a known sender that only tries the address; false if it is none.
func (h *Handler) handshake(w http.ResponseWriter, r *http.Request, src *source, body []byte) bool {
	body = bytes.TrimSpace(body)
	empty := len(body) == 0 || string(body) == "{}"                                                     // what brings more is no mere try, whatever stands around it
	if s := r.Header.Get("X-Hook-Secret"); s != "" && empty && r.Header.Get("X-Hook-Signature") == "" { // Asana
		if isWord(s) {
			w.Header().Set("X-Hook-Secret", s)
		}
		w.WriteHeader(http.StatusOK)
		return true
	}
	for name, v := range r.URL.Query() {
		if empty && (name == "validationToken" || name == "validationtoken") { // Microsoft Graph, SharePoint
			echo(w, v[0])
			return true
		}
	}
	if len(body) > maxHandshake || len(body) == 0 {
		return false
	}
	if r.Header.Get("Aeg-Event-Type") == "SubscriptionValidation" { // Azure Event Grid's own schema
		return validateGrid(w, body)
	}
	var m map[string]json.RawMessage
	if body[0] != '{' || json.Unmarshal(body, &m) != nil {
		return false
	}
	text := func(key string) (s string) {
		_ = json.Unmarshal(m[key], &s) // of another type: no word
		return s
	}
	word := text("challenge")
	switch {
	case len(m["notifications"]) > 0 && isVerification(m["notifications"]): // Terraform Cloud keeps the hook on a 200 only
		w.WriteHeader(http.StatusOK)
	case text("event") == "endpoint.url_validation":
		return validateZoom(w, m["payload"], src.Secrets)
	case !isWord(word):
		return false
	case r.Header.Get("Twitch-Eventsub-Message-Type") == "webhook_callback_verification":
		echo(w, word)
	case text("type") == "url_verification", len(m) == 1: // Slack; monday.com
		send(w, http.StatusOK, "application/json", map[string]string{"challenge": word})
	default:
		return false
	}
	return true
}

func isVerification(notifications []byte) bool {
	var list []struct {
		Trigger string `json:"trigger"`
	}
	return json.Unmarshal(notifications, &list) == nil && len(list) == 1 && list[0].Trigger == "verification"
}

func validateGrid(w http.ResponseWriter, body []byte) bool {
	var events []struct {
		Data struct {
			ValidationCode string `json:"validationCode"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &events) != nil || len(events) == 0 || !isWord(events[0].Data.ValidationCode) {
		return false
	}
	send(w, http.StatusOK, "application/json", map[string]string{"validationResponse": events[0].Data.ValidationCode})
	return true
}

// zoomWord is what Zoom asks to have signed. Nothing that could be taken for a body is: this is no oracle.
var zoomWord = regexp.MustCompile(`^[\w.-]{1,64}$`)

// validateZoom signs Zoom's word with the first secret: Zoom knows one.
func validateZoom(w http.ResponseWriter, payload []byte, secrets [][]byte) bool {
	var p struct {
		PlainToken string `json:"plainToken"`
	}
	if json.Unmarshal(payload, &p) != nil || !zoomWord.MatchString(p.PlainToken) || !anySecret(secrets) {
		return false
	}
	m := hmac.New(sha256.New, secrets[0])
	m.Write([]byte(p.PlainToken))
	send(w, http.StatusOK, "application/json", map[string]string{"plainToken": p.PlainToken, "encryptedToken": hex.EncodeToString(m.Sum(nil))})
	return true
}
