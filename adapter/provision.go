package adapter

import (
	"context"
	"slices"
	"strings"

	"portico/adapter/store"
	"portico/directory"
)

// Writer changes the directories. All errors are *directory.WriteError.
type Writer interface {
	// Create makes an entry in a directory, "" for the first that may be written.
	Create(ctx context.Context, dir string, n directory.NewEntry) (*directory.Entry, error)
	Modify(ctx context.Context, id directory.ID, c directory.Change) (*directory.Entry, error)
	Delete(ctx context.Context, id directory.ID, ifVersion string) error
}

// WriteLooks are the questions that belong to changes.
type WriteLooks interface {
	// Writable names the directory that a new entry would go into.
	Writable(dir string) (string, error)
	// LoginIn is the login name, with suffix, of somebody named so in a directory.
	LoginIn(dir, name string) string
	// Room is how many values of an attribute entries of a directory can be given.
	Room(dir string, kind directory.Kind, attribute string) int
	// Reread reads an entry past all caches, and finishes a rename of it that was
	// cut short. Errors as of look-ups.
	Reread(ctx context.Context, id directory.ID, formerDN, formerName string) (*directory.Entry, error)
}

// Writes is the changing side of the population.
type Writes interface {
	Writer
	WriteLooks
}

// By says who asks for a change, for the security log and for limits.
type By struct {
	Client Client
	Actor  string // label of the key, or login name
	// KeyID is the key that the change is asked for with; 0: none. It must still be
	// good when the change begins.
	KeyID int64
}

// NewPerson is a person who is to be made. Attribute names are Portico's; see the
// presets. It is not printed.
type NewPerson struct {
	Directory  string // configured name; "": the first that may be written
	Username   string
	Attributes map[string][]string
	Managers   []PersonKey
	Password   string // "": none
	Disabled   bool
	Extras     *ExtraChange // nil: nothing
}

// String hides the password.
func (n NewPerson) String() string { return "new person " + n.Username }

// PersonChange says what is to be different about a person; what is nil or not
// named stays. It is not printed.
type PersonChange struct {
	Username   *string
	Attributes map[string][]string // an empty list removes
	Managers   *[]PersonKey
	Password   *string
	Disabled   *bool
	Extras     *ExtraChange
	IfVersion  string // only if the entry has this version; "": in any case
}

// String hides the password.
func (c PersonChange) String() string { return "change of a person" }

// The fields that errors of changes name, besides attributes of Portico.
const (
	FieldPassword = "password"
	FieldManagers = "manager"
	FieldMembers  = "members"
	FieldVersion  = "version"
	FieldReadOnly = "read-only"
	// FieldExternalID is an external id that another entry of the domain has.
	FieldExternalID = "external_id"
	FieldExtras     = "extras"
)

// Writable names the directory that new people and groups go into: dir or, for
// "", the first that may be written. Errors: Denied "read-only", NotFound "directory".
func (a *Adapter) Writable(dir string) (string, error) {
	if a.writes == nil || dir == LocalDirectory {
		return "", &Error{Kind: Denied, Field: FieldReadOnly}
	}
	name, err := a.writes.Writable(dir)
	return name, a.fromWrite(context.Background(), err, "directory")
}

// CreatePerson makes a person in a directory and gives him as he is read from
// there.
//
// Errors: Conflict "username" when anybody has the name; Invalid with the
// attribute that cannot be stored, "manager" for somebody unknown, "password" with
// a text that may be shown; Denied "read-only" or where the directory lets the
// service account do nothing; Unavailable, also when the outcome is not known.
func (a *Adapter) CreatePerson(ctx context.Context, n NewPerson, by By) (*Person, error) {
	dir, entry, err := a.draftPerson(ctx, n)
	if err != nil {
		return nil, err
	}
	act := a.newAct(store.IntentCreate, by)
	act.intent.Directory, act.intent.Name, act.extras = dir, a.writes.LoginIn(dir, entry.Name), n.Extras
	entry.Begun = act.begun
	var made *directory.Entry
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if made, err = a.writes.Create(ctx, dir, entry); err != nil {
			return 0, nil, err
		}
		act.made = made.ID.Stable
		uids, err := a.numbersOf(ctx, personNumber, []*directory.Entry{made})
		if err != nil {
			return 0, nil, err
		}
		text := "user " + made.Login + " added to " + dir
		return store.LeaveAlone, []store.Record{record(EventUserAdded, uids[0], by.Actor, by.Client, text)}, nil
	})
	if err != nil {
		return nil, a.fromWrite(ctx, err, "user")
	}
	return a.personOf(ctx, made)
}

// draftPerson says what is to be made, and in which directory.
func (a *Adapter) draftPerson(ctx context.Context, n NewPerson) (dir string, entry directory.NewEntry, err error) {
	if dir, err = a.Writable(n.Directory); err != nil {
		return "", entry, err
	}
	entry = directory.NewEntry{
		Kind: directory.KindPerson, Name: strings.TrimSpace(n.Username), Attributes: n.Attributes, Password: n.Password, Disabled: n.Disabled,
	}
	if len(n.Managers) > 0 {
		ids, err := a.managerIDs(ctx, n.Managers)
		if err != nil {
			return "", entry, err
		}
		entry.References = map[string][]directory.ID{directory.AttrManager: ids}
	}
	return dir, entry, a.checkWrittenPassword(n.Password, n.Username)
}

// checkWrittenPassword refuses what no directory is asked for. How good a
// password must be is the directory's to say.
func (a *Adapter) checkWrittenPassword(password, _ string) error {
	if len(password) > maxPassword || strings.ContainsRune(password, 0) {
		return refuseNamed(FieldPassword, errLongPassword, "the password is too long or holds a NUL character")
	}
	return nil
}

func refuseNamed(field string, cause error, text string) error {
	return &Error{Kind: Invalid, Field: field, Text: text, Cause: cause}
}

func (a *Adapter) managerIDs(ctx context.Context, keys []PersonKey) ([]directory.ID, error) {
	ids := make([]directory.ID, 0, len(keys))
	for _, key := range keys {
		entry, err := a.entry(ctx, key)
		if KindOf(err) == NotFound && err != nil {
			return nil, invalid(FieldManagers, "there is no such person")
		}
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, entry.ID) {
			ids = append(ids, entry.ID)
		}
	}
	return ids, nil
}

// ChangePerson changes a person in the directory and gives him as he is
// afterwards. Disabling ends sessions, app passwords, sync codes, login keys and
// API keys of the person in one transaction, and stops sign-in from the moment
// that it is asked for.
//
// Errors: as of CreatePerson; NotFound "user"; Conflict "version" when the entry
// does not have IfVersion; Throttled when the actor disables or deletes too many.
func (a *Adapter) ChangePerson(ctx context.Context, key PersonKey, c PersonChange, by By) (*Person, error) {
	entry, uid, change, err := a.preparePerson(ctx, key, c)
	if err != nil {
		return nil, err
	}
	if change.Empty() {
		if err := a.onlyExtras(ctx, entry, uid, c.IfVersion, c.Extras, by); err != nil {
			return nil, err
		}
		return a.personOf(ctx, entry)
	}
	act := a.newAct("", by)
	act.extras = c.Extras
	switch {
	case c.Disabled != nil && *c.Disabled:
		act.intent.Kind = store.IntentDisable
	case c.Username != nil && directory.FoldName(*c.Username) != entry.Login && *c.Username != entry.Name:
		act.intent.Kind = store.IntentRename
	case c.Password != nil:
		act.intent.Kind = store.IntentPassword
	}
	act.about(entry, uid)
	var changed *directory.Entry
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if changed, err = a.writes.Modify(ctx, entry.ID, change); err != nil {
			return 0, nil, err
		}
		text := "user " + changed.Login + " changed: " + changedNames(change)
		notes := []store.Record{record(EventUserEdited, uid, by.Actor, by.Client, text)}
		return aftermathOf(c), notes, nil
	})
	if err != nil {
		return nil, a.fromWrite(ctx, err, "user")
	}
	return a.personOf(ctx, changed)
}

func aftermathOf(c PersonChange) store.Aftermath {
	switch {
	case c.Disabled != nil && *c.Disabled:
		return store.CloseAccount
	case c.Password != nil:
		return store.EndSessions
	}
	return store.LeaveAlone
}

func (a *Adapter) preparePerson(ctx context.Context, key PersonKey, c PersonChange) (*directory.Entry, int64, directory.Change, error) {
	change := directory.Change{
		Name: c.Username, Attributes: c.Attributes, Password: c.Password, Disabled: c.Disabled, IfVersion: c.IfVersion,
	}
	entry, uid, err := a.known(ctx, key)
	if err != nil {
		return nil, 0, change, err
	}
	if _, err := a.Writable(entry.ID.Directory); err != nil {
		return nil, 0, change, err
	}
	if c.Username != nil {
		name := strings.TrimSpace(*c.Username)
		change.Name = &name
	}
	if c.Managers != nil {
		ids, err := a.managerIDs(ctx, *c.Managers)
		if err != nil {
			return nil, 0, change, err
		}
		change.References = map[string][]directory.ID{directory.AttrManager: ids}
	}
	if c.Password != nil {
		if *c.Password == "" {
			return nil, 0, change, invalid(FieldPassword, "the password is empty")
		}
		if err := a.checkWrittenPassword(*c.Password, entry.Login); err != nil {
			return nil, 0, change, err
		}
	}
	return entry, uid, change, nil
}

// changedNames lists what a change is about, for the security log: names, never
// values.
func changedNames(c directory.Change) string {
	var names []string
	add := func(name string, is bool) {
		if is {
			names = append(names, name)
		}
	}
	add("name", c.Name != nil)
	for name := range c.Attributes {
		names = append(names, name)
	}
	for name := range c.References {
		names = append(names, name)
	}
	add(FieldPassword, c.Password != nil)
	add("disabled", c.Disabled != nil && *c.Disabled)
	add("enabled", c.Disabled != nil && !*c.Disabled)
	add(FieldMembers, c.ReplaceMembers != nil)
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// DeletePerson deletes a person from the directory, with what refers to him there
// and what is stored of him here. Sign-in stops from the moment that it is asked
// for. Errors: NotFound "user", Conflict "version", Conflict "user" when something
// hangs below the entry, Denied, Throttled, Unavailable.
func (a *Adapter) DeletePerson(ctx context.Context, key PersonKey, ifVersion string, by By) error {
	entry, uid, _, err := a.preparePerson(ctx, key, PersonChange{})
	if err != nil {
		return err
	}
	act := a.newAct(store.IntentDelete, by)
	act.about(entry, uid)
	err = act.run(ctx, func(ctx context.Context) (store.Aftermath, []store.Record, error) {
		if err := a.writes.Delete(ctx, entry.ID, ifVersion); err != nil {
			return 0, nil, err
		}
		text := "user " + entry.Login + " deleted from " + entry.ID.Directory
		return store.ForgetAll, []store.Record{record(EventUserRemoved, uid, by.Actor, by.Client, text)}, nil
	})
	return a.fromWrite(ctx, err, "user")
}
