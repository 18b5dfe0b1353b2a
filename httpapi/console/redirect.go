package console

import (
	"net/url"
	"slices"
	"strings"
)

// allowOrigins gathers where sign-ins may lead back to: the applications and
// ourselves.
func (c *Console) allowOrigins() {
	c.origins = map[string]bool{}
	for _, raw := range append([]string{c.cfg.BaseURL}, c.appURLs()...) {
		if origin, ok := originOf(raw); ok {
			c.origins[origin] = true
		}
	}
	list := []string{"'self'"}
	for origin := range c.origins {
		list = append(list, origin)
	}
	slices.Sort(list)
	c.formTo = strings.Join(list, " ")
}

func (c *Console) appURLs() []string {
	var list []string
	for _, app := range c.cfg.Apps {
		list = append(list, app.URL)
	}
	return list
}

// originOf gives scheme, host and port of an absolute http or https URL. It is
// false for everything that browsers and we might read differently.
func originOf(raw string) (string, bool) {
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] >= 0x7f || raw[i] == '\\' || raw[i] == '"' || raw[i] == '\'' {
			return "", false
		}
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" || u.User != nil || u.Hostname() == "" {
		return "", false
	}
	// The parser folds the scheme's letters; what stands there must be "//".
	if rest := raw[len(u.Scheme)+1:]; !strings.HasPrefix(rest, "//") || strings.HasPrefix(rest, "///") {
		return "", false
	}
	if strings.ContainsAny(u.Host, ";,*%") {
		return "", false
	}
	port := u.Port()
	switch {
	case u.Scheme == "http" && port == "80", u.Scheme == "https" && port == "443":
		port = ""
	case u.Scheme != "http" && u.Scheme != "https":
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return u.Scheme + "://" + host, true
}

// allowed tells whether a sign-in may lead to this address.
func (c *Console) allowed(redirect string) bool {
	origin, ok := originOf(redirect)
	return ok && c.origins[origin]
}

// queryValue reads one value of a query string. Applications write their
// addresses without encoding them: such a value is taken as it stands, up to the
// next "&". An encoded one is decoded once.
func queryValue(rawQuery, name string) string {
	for pair := range strings.SplitSeq(rawQuery, "&") {
		key, value, _ := strings.Cut(pair, "=")
		if key != name {
			continue
		}
		if strings.Contains(value, "://") {
			return value
		}
		if decoded, err := url.QueryUnescape(value); err == nil {
			return decoded
		}
		return value
	}
	return ""
}
