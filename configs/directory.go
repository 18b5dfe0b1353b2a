package configs

import (
	"fmt"
	"strings"
	"time"
)

// Directory is one LDAP directory. Zero values of the overrides (base DNs,
// filters, attributes) mean "as the preset says"; Resolve puts both together.
type Directory struct {
	Name             string        `yaml:"name"`   // part of every identity: never change it
	Preset           string        `yaml:"preset"` // see PresetNames
	URLs             []string      `yaml:"urls"`   // tried in this order
	StartTLS         bool          `yaml:"start_tls"`
	TLS              DirectoryTLS  `yaml:"tls"`
	BindDN           string        `yaml:"bind_dn"`
	BindPassword     Secret        `yaml:"bind_password"`
	BindPasswordFile string        `yaml:"bind_password_file"`
	BaseDN           string        `yaml:"base_dn"`
	Suffix           string        `yaml:"suffix"`          // jdoe@suffix; "" : none
	PasswordPolicy   string        `yaml:"password_policy"` // DN of OpenLDAP's default ppolicy entry
	Users            Users         `yaml:"users"`
	Groups           Groups        `yaml:"groups"`
	Sync             Sync          `yaml:"sync"`
	Write            Write         `yaml:"write"`
	Pool             DirectoryPool `yaml:"pool"`
}

// DirectoryTLS says how the server's certificate is checked and which
// certificate Portico shows. Files are PEM.
type DirectoryTLS struct {
	CAFile             string `yaml:"ca_file"`     // "" : the system's authorities
	ServerName         string `yaml:"server_name"` // "" : the host of the URL
	InsecureSkipVerify bool   `yaml:"insecure_skip_verify"`
	CertFile           string `yaml:"cert_file"` // client certificate
	KeyFile            string `yaml:"key_file"`
}

// Users overrides what the preset says of people.
type Users struct {
	BaseDN     string           `yaml:"base_dn"`
	Filter     string           `yaml:"filter"`     // replaces the preset's
	Attributes map[string]Names `yaml:"attributes"` // name by name; an empty list drops one
}

// Groups overrides what the preset says of groups. Besides attributes, the
// names "members" (attributes holding DNs) and "member_names" (attributes
// holding login names) can be mapped.
type Groups struct {
	BaseDN     string           `yaml:"base_dn"`
	Filter     string           `yaml:"filter"`
	Attributes map[string]Names `yaml:"attributes"`
	Nested     bool             `yaml:"nested"` // members of member groups are members
}

// Sync says how changes are followed: auto | syncrepl | ad | poll.
type Sync struct {
	Mode     string        `yaml:"mode"`
	Interval time.Duration `yaml:"interval"` // of polls; 0: 30 s, on Active Directory 1 s
}

// Write allows and places entries made through an API. Zero values mean "as the
// preset says".
type Write struct {
	Enabled         bool             `yaml:"enabled"`
	UserContainer   string           `yaml:"user_container"`  // "" : the base DN of people
	GroupContainer  string           `yaml:"group_container"` // "" : the base DN of groups
	UserRDN         string           `yaml:"user_rdn"`
	GroupRDN        string           `yaml:"group_rdn"`
	UserClasses     []string         `yaml:"user_classes"`
	GroupClasses    []string         `yaml:"group_classes"`
	UserDefaults    map[string]Names `yaml:"user_defaults"`    // by LDAP name, {name} is the login name
	GroupDefaults   map[string]Names `yaml:"group_defaults"`   // {name} is the name of the group
	EmptyGroup      string           `yaml:"empty_group"`      // emptyDN | fixed | class
	PlaceholderDN   string           `yaml:"placeholder_dn"`   // with empty_group: fixed
	Disable         string           `yaml:"disable"`          // ppolicy | nsaccountlock | useraccountcontrol | shadow | attribute | none
	DisableWith     AttributeValue   `yaml:"disable_with"`     // with disable: attribute
	Numbers         Numbers          `yaml:"numbers"`          // uidNumber of new people
	ProtectedGroups []string         `yaml:"protected_groups"` // names, DNs or permanent ids
}

// AttributeValue is one value of one LDAP attribute.
type AttributeValue struct {
	Attribute string `yaml:"attribute"`
	Value     string `yaml:"value"`
}

// Numbers says how new people get a uidNumber: off | counter | range.
type Numbers struct {
	Mode      string `yaml:"mode"`
	Counter   string `yaml:"counter"`   // DN of the entry that holds the next number
	Attribute string `yaml:"attribute"` // of the counter; "" : uidNumber
	First     int    `yaml:"first"`     // of the range
	Last      int    `yaml:"last"`
}

// DirectoryPool bounds the connections to one directory.
type DirectoryPool struct {
	Size        int           `yaml:"size"`      // connections of the service account
	BindSize    int           `yaml:"bind_size"` // connections for password checks
	Timeout     time.Duration `yaml:"timeout"`   // of one LDAP operation
	DialTimeout time.Duration `yaml:"dial_timeout"`
	IdleTimeout time.Duration `yaml:"idle_timeout"`
}

// Names are LDAP attribute names; the first that has a value wins. In YAML a
// single name may stand without brackets.
type Names []string

// setDefaults fills a list element before its keys are read.
func (d *Directory) setDefaults() { *d = DefaultDirectory() }

// The names in Groups.Attributes that say where members are.
const (
	attrMembers     = "members"
	attrMemberNames = "member_names"
)

// Resolve puts the preset and the overrides of the directory together: base
// DNs become whole, filters and attributes are the ones that hold. The error
// is an unknown preset.
func (d *Directory) Resolve() (Preset, error) {
	p, err := PresetByName(d.Preset)
	if err != nil {
		return Preset{}, fmt.Errorf("directory %s: %w", d.Name, err)
	}
	p.People.BaseDN = resolveBase(d.Users.BaseDN, p.People.BaseDN, d.BaseDN)
	p.Groups.BaseDN = resolveBase(d.Groups.BaseDN, p.Groups.BaseDN, d.BaseDN)
	p.People.ObjectFilter = firstSet(d.Users.Filter, p.People.ObjectFilter)
	p.Groups.ObjectFilter = firstSet(d.Groups.Filter, p.Groups.ObjectFilter)
	overlay(p.People.Attributes, d.Users.Attributes)
	overlay(p.Groups.Attributes, d.Groups.Attributes)
	if names, ok := d.Groups.Attributes[attrMembers]; ok {
		p.Groups.MemberAttributes = names
		delete(p.Groups.Attributes, attrMembers)
	}
	if names, ok := d.Groups.Attributes[attrMemberNames]; ok {
		p.Groups.MemberNameAttributes = names
		delete(p.Groups.Attributes, attrMemberNames)
	}
	p.Write.UserContainer = firstSet(d.Write.UserContainer, p.People.BaseDN)
	p.Write.GroupContainer = firstSet(d.Write.GroupContainer, p.Groups.BaseDN)
	d.Write.over(&p.Write)
	return p, nil
}

// over puts what is configured over the preset.
func (w *Write) over(p *WritePreset) {
	p.UserRDN, p.GroupRDN = firstSet(w.UserRDN, p.UserRDN), firstSet(w.GroupRDN, p.GroupRDN)
	p.EmptyGroup, p.Disable = firstSet(w.EmptyGroup, p.EmptyGroup), firstSet(w.Disable, p.Disable)
	if len(w.UserClasses) > 0 {
		p.UserClasses = w.UserClasses
	}
	if len(w.GroupClasses) > 0 {
		p.GroupClasses = w.GroupClasses
	}
	if p.UserDefaults == nil {
		p.UserDefaults = map[string]Names{}
	}
	if p.GroupDefaults == nil {
		p.GroupDefaults = map[string]Names{}
	}
	overlay(p.UserDefaults, w.UserDefaults)
	overlay(p.GroupDefaults, w.GroupDefaults)
}

// resolveBase picks the base DN of people or groups: the configured one, else
// the preset's, which is relative, in front of the directory's.
func resolveBase(configured, relative, base string) string {
	switch {
	case configured != "":
		return configured
	case relative == "" || base == "":
		return firstSet(base, relative)
	default:
		return relative + "," + base
	}
}

// firstSet is the first of its arguments that is not blank.
func firstSet(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

// overlay puts the overrides over the preset's attributes, name by name.
func overlay(attributes, overrides map[string]Names) {
	for name, names := range overrides {
		if len(names) == 0 {
			delete(attributes, name)
			continue
		}
		attributes[name] = names
	}
}
