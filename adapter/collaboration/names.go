package collaboration

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"portico/adapter"
	"portico/adapter/store"
)

// Limits of what is stored, in characters.
const (
	maxName      = 255
	maxWebsite   = 512
	maxText      = 16 << 10
	maxShortName = 16
	maxAddress   = 254
	maxTags      = 64
)

// ShortName is the canonical form of a short name: without leading digits, only
// ASCII letters, digits and "_", in lower case, at most 16 characters.
func ShortName(text string) string {
	text = strings.TrimLeft(text, "0123456789")
	var b strings.Builder
	for _, r := range text {
		if b.Len() == maxShortName {
			break
		}
		switch {
		case r >= 'A' && r <= 'Z':
			r += 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
		default:
			continue
		}
		b.WriteRune(r)
	}
	// What stood before a leading digit may have been dropped.
	return strings.TrimLeft(b.String(), "0123456789")
}

// numbered is the stem with a number behind it, within the length of a short name.
func numbered(stem string, n int) string {
	tail := strconv.Itoa(n)
	return stem[:min(len(stem), maxShortName-len(tail))] + tail
}

// lookAlikes are letters of other scripts that are drawn like ASCII letters.
const (
	otherLetters = "аеорсухіјѕԁһԛԝвкмнтαορυνικτзьӏıɡ"
	theirLetters = "aeopcyxijsdhqwbkmhtaopuvikt3blig"
)

// NameKey is the form in which names are compared: letter case, white space,
// forms of the same letter and letters that look alike do not matter.
func NameKey(name string) string {
	var b strings.Builder
	blank := false
	for _, r := range norm.NFKC.String(strings.ToLower(norm.NFKC.String(name))) {
		switch {
		case unicode.IsSpace(r):
			blank = true
			continue
		case unicode.In(r, unicode.Cf, unicode.Cc, unicode.Mn):
			continue
		}
		if blank && b.Len() > 0 {
			b.WriteByte(' ')
		}
		blank = false
		if at := strings.IndexRune(otherLetters, r); at >= 0 {
			r = rune(theirLetters[utf8.RuneCountInString(otherLetters[:at])])
		}
		b.WriteRune(r)
	}
	return b.String()
}

func longer(text string, limit int) bool {
	return len(text) > limit && utf8.RuneCountInString(text) > limit
}

// checkName checks a name that people see.
func checkName(field, name string) error {
	switch {
	case NameKey(name) == "":
		return invalid(field, field+" must not be empty")
	case longer(name, maxName):
		return invalid(field, field+" is longer than 255 characters")
	case strings.ContainsFunc(name, unicode.IsControl):
		return invalid(field, field+" must not have control characters")
	}
	return nil
}

func checkText(field, text string) error {
	if longer(text, maxText) {
		return invalid(field, field+" is too long")
	}
	if strings.ContainsRune(text, 0) {
		return invalid(field, field+" must not have control characters")
	}
	return nil
}

var (
	tagForm     = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	websiteForm = regexp.MustCompile(`^(?i:https?|ssh|ftp)://[^\s<>"]+$`)
	mailForm    = regexp.MustCompile(`^\S+@\S+$`)
)

// checkTags gives the tags without empty ones and doubles.
func checkTags(tags []string) ([]string, error) {
	var list []string
	for _, tag := range tags {
		if tag = strings.TrimSpace(tag); tag == "" {
			continue
		}
		if !tagForm.MatchString(tag) {
			return nil, invalid("tags", "a tag begins with a small letter and has at most 32 of a-z, 0-9, _ and -")
		}
		list = addNew(list, tag)
	}
	if len(list) > maxTags {
		return nil, invalid("tags", "too many tags")
	}
	return list, nil
}

func addNew(list []string, more ...string) []string {
	for _, text := range more {
		known := false
		for _, have := range list {
			known = known || have == text
		}
		if !known {
			list = append(list, text)
		}
	}
	return list
}

func checkWebsite(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", nil
	}
	if len(text) > maxWebsite || !websiteForm.MatchString(text) {
		return "", invalid("website_url", "website_url must be an http, https, ssh or ftp address of at most 512 characters")
	}
	if _, err := url.Parse(text); err != nil {
		return "", invalid("website_url", "website_url is no address")
	}
	return text, nil
}

// address gives a mail address as it is stored; false for what is none. Its
// length is looked at before anything else.
func address(text string) (string, bool) {
	if len(text) > maxAddress+64 {
		return "", false
	}
	text = strings.TrimSpace(text)
	if len(text) > maxAddress || !mailForm.MatchString(text) || !adapter.MailAddress(text) {
		return "", false
	}
	return text, true
}

func addressKey(text string) string { return strings.ToLower(text) }

// milliseconds is where a number stops being seconds.
const milliseconds = 100_000_000_000

// Date reads a date as clients write it: seconds since 1970, or milliseconds from
// 1e11 on. 0 is none. ok is false for what no date can be.
func Date(number float64) (t time.Time, ok bool) {
	if number == 0 {
		return time.Time{}, true
	}
	if number >= milliseconds {
		number /= 1000
	}
	const year9999 = 253402300799
	if number < 0 || number > year9999 {
		return time.Time{}, false
	}
	return time.Unix(int64(number), 0).UTC(), true
}

func midnight(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// collabEnd is the expiry date of a collaboration: the day that it is four hours
// later, which absorbs the time zones of clients.
func (s *Collaborations) collabEnd(t time.Time) (time.Time, error) {
	if t.IsZero() {
		return t, nil
	}
	t = midnight(t.Add(4 * time.Hour))
	if !s.cfg.PastExpiry && !t.After(s.now()) {
		return t, invalid("expiry_date", "expiry_date lies behind")
	}
	return t, nil
}

// inviteEnd is the default expiry of an invitation: at least 14 whole days are left.
func (s *Collaborations) inviteEnd(org store.Org) time.Time {
	days := s.cfg.InvitationDays
	if org.Settings.InvitationDays > 0 {
		days = org.Settings.InvitationDays
	}
	return midnight(s.now()).AddDate(0, 0, days)
}

// PlatformID is how a person is named to clients.
func (s *Collaborations) PlatformID(p *adapter.Person) string {
	switch s.cfg.UserID {
	case "username":
		return p.Username
	case "id":
		return p.ID.Stable + "@" + p.ID.Directory
	default:
		return strconv.FormatInt(p.UID, 10)
	}
}

// personKey reads a platform id; only the configured form is one, nothing is
// guessed. false for what can be nobody.
func (s *Collaborations) personKey(platform string) (adapter.PersonKey, bool) {
	switch s.cfg.UserID {
	case "username":
		return adapter.ByUsername(platform), platform != ""
	case "id":
		at := strings.LastIndexByte(platform, '@')
		if at < 1 || at == len(platform)-1 {
			return adapter.PersonKey{}, false
		}
		return adapter.ByIdentity(platform[at+1:], platform[:at]), true
	default:
		n, err := strconv.ParseInt(platform, 10, 64)
		if err != nil || n < 1 || strconv.FormatInt(n, 10) != platform {
			return adapter.PersonKey{}, false
		}
		return adapter.ByUID(n), true
	}
}
