package configs

import (
	"embed"
	"fmt"
	"reflect"
	"strings"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// presetNames in the order in which they are named to people.
var presetNames = [...]string{"openldap", "389ds", "freeipa", "activedirectory", "rfc2307"}

// Preset says how one kind of directory server spells people, groups and
// account states. LDAP attribute names are spelt as in the server's schema;
// compare them without regard to case.
type Preset struct {
	Name   string       `yaml:"name"`
	People PeoplePreset `yaml:"people"`
	Groups GroupsPreset `yaml:"groups"`

	// StableID are the attributes that may hold an entry's permanent id, the
	// first that has a value wins, and StableIDFormat how its value is read:
	// "uuid" (text), "guid" (Active Directory's 16 bytes) or "nsuniqueid".
	StableID       []string `yaml:"stable_id"`
	StableIDFormat string   `yaml:"stable_id_format"`

	Created  string `yaml:"created"`  // time of creation
	Modified string `yaml:"modified"` // time of the last change
	Version  string `yaml:"version"`  // changes with every write; where the server gives none, a digest of the entry

	// ContainerFilter finds the entries that others hang below.
	ContainerFilter string `yaml:"container_filter"`

	// Signals are the attributes behind the account state, and StatusRules the
	// rules that read them: ppolicy | 389ds | freeipa | activedirectory | shadow.
	Signals     []string `yaml:"signals"`
	StatusRules string   `yaml:"status_rules"`

	Write WritePreset `yaml:"write"`
}

// PeoplePreset says which entries are people and where their values are.
type PeoplePreset struct {
	// BaseDN is relative to the directory's base DN ("" : the same) as
	// PresetByName gives it, and whole as Resolve gives it.
	BaseDN       string           `yaml:"base_dn"`
	ObjectFilter string           `yaml:"filter"`
	Attributes   map[string]Names `yaml:"attributes"` // Portico's name to LDAP's
}

// GroupsPreset says which entries are groups and where their values are.
type GroupsPreset struct {
	BaseDN               string           `yaml:"base_dn"` // as in PeoplePreset
	ObjectFilter         string           `yaml:"filter"`
	Attributes           map[string]Names `yaml:"attributes"`
	MemberAttributes     []string         `yaml:"members"`      // hold DNs
	MemberNameAttributes []string         `yaml:"member_names"` // hold login names
	// Primary is "sid" where each person is in one more group that does not list
	// him, found by objectSid and primaryGroupID.
	Primary string `yaml:"primary"`
}

// WritePreset says how new entries are made.
type WritePreset struct {
	UserClasses    []string `yaml:"user_classes"`
	UserRDN        string   `yaml:"user_rdn"` // attribute that names a person
	GroupClasses   []string `yaml:"group_classes"`
	GroupRDN       string   `yaml:"group_rdn"`
	UserContainer  string   `yaml:"-"` // whole DNs, set by Resolve
	GroupContainer string   `yaml:"-"`

	// Auxiliary are the attributes that need an object class of their own, by class.
	Auxiliary map[string]Names `yaml:"auxiliary"`
	// UserDefaults and GroupDefaults are values by LDAP name that new entries get
	// where nobody gives any; {name} is the entry's name.
	UserDefaults  map[string]Names `yaml:"user_defaults"`
	GroupDefaults map[string]Names `yaml:"group_defaults"`

	// Unwritable are attributes that are read where they are there, and Single those
	// that hold one value. Portico's names.
	Unwritable []string `yaml:"unwritable"`
	Single     []string `yaml:"single"`

	EmptyGroup string `yaml:"empty_group"` // emptyDN | fixed | class
	Disable    string `yaml:"disable"`     // how accounts are disabled
	MaxRDN     int    `yaml:"max_rdn"`     // characters; 0: no limit but ours
	// ServerReferences: the server keeps references to an entry right by itself.
	ServerReferences bool `yaml:"server_references"`
}

// PresetNames lists the presets that there are.
func PresetNames() []string { return append([]string(nil), presetNames[:]...) }

// PresetByName gives a preset of its own to the caller, who may change it. The
// error is an unknown name.
func PresetByName(name string) (Preset, error) {
	file := "presets/" + name + ".yaml"
	data, err := presetFiles.ReadFile(file)
	if err != nil {
		return Preset{}, fmt.Errorf("there is no preset %s; there are %s", shown(name), strings.Join(presetNames[:], ", "))
	}
	var p Preset
	w := newWalker(file)
	if root := w.parse(data); root != nil {
		w.decode(root, reflect.ValueOf(&p).Elem(), "")
	}
	if err := w.err(); err != nil {
		return Preset{}, err
	}
	return p, nil
}

// PresetSource gives the commented YAML text of a preset, or nil.
func PresetSource(name string) []byte {
	data, err := presetFiles.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		return nil
	}
	return data
}
