package tools

import (
	"net/url"
	"regexp"
	"strings"
)

// link is an address a person can open: pages before interfaces, never a picture, nor one that holds a secret.
func (s *search) link(w *wanted) string {
	v, _ := s.best(w, func(p *place) string {
		if sides[s.holder(p)] || hooks[s.holder(p)] { // the repositories that a change goes between
			return ""
		}
		return pageAddress(p.scalar())
	})
	return v
}

// hooks are objects that say where the delivery went.
var hooks = fieldSet("hook", "webhook", "webhookurlinfo", "hookurlinfo", "webhookendpoint")

var sides = fieldSet("source", "target", "head", "base", "from", "to")

func pageAddress(s string) string {
	u := webAddress(s)
	if u == "" || isPicture(u) || isAPI(u) || secretQuery.MatchString(u) || strings.HasSuffix(u, ".git") {
		return ""
	}
	return u
}

var secretQuery = regexp.MustCompile(`(?i)[?&](?:token|access_token|secret|password|api_?key|sig|signature)=`)

func isAPI(u string) bool {
	p, err := url.Parse(u)
	return err != nil || apiHost.MatchString(p.Hostname()) || apiPath.MatchString(p.Path)
}

var (
	apiHost = regexp.MustCompile(`(?i)^api\.|apis?\.com$`)
	apiPath = regexp.MustCompile(`(?i)/(?:api|rest|_apis|wp-json|soap)/|\.(?:json|xml|zip|gz|tgz|ipa|apk|aab|dmg|exe|msi|iso)$`)
)

func isPicture(u string) bool {
	u, _, _ = strings.Cut(strings.ToLower(u), "?")
	for _, end := range []string{".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp"} {
		if strings.HasSuffix(u, end) {
			return true
		}
	}
	return strings.Contains(u, "avatar") || strings.Contains(u, "gravatar")
}
