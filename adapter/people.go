package adapter

import (
	"cmp"
	"context"
	"math"
	"slices"

	"portico/directory"
)

// Person finds one person. Errors: NotFound "user", Ambiguous, Unavailable.
func (a *Adapter) Person(ctx context.Context, key PersonKey) (*Person, error) {
	entry, err := a.entry(ctx, key)
	if err != nil {
		return nil, err
	}
	people, err := a.people(ctx, []*directory.Entry{entry})
	if err != nil {
		return nil, err
	}
	return people[0], nil
}

// PersonExists tells whether there is such a person, whatever the account's
// status. Errors: Unavailable; two people with one name exist, so that is true.
func (a *Adapter) PersonExists(ctx context.Context, key PersonKey) (bool, error) {
	_, err := a.entry(ctx, key)
	switch {
	case err == nil, KindOf(err) == Ambiguous:
		return true, nil
	case KindOf(err) == NotFound:
		return false, nil
	default:
		return false, err
	}
}

// SearchPeople finds at most limit people whose login or display name contains
// text literally, letter case aside, in order of uid.
func (a *Adapter) SearchPeople(ctx context.Context, text string, limit int) ([]*Person, error) {
	entries, err := a.dir.SearchPeople(ctx, text, limit)
	if err != nil {
		return nil, fromDirectory(err, "user")
	}
	return a.peopleByUID(ctx, entries)
}

// entry finds the entry behind a key.
func (a *Adapter) entry(ctx context.Context, key PersonKey) (*directory.Entry, error) {
	id := key.id
	switch {
	case key.username != "":
		entry, err := a.dir.PersonByLogin(ctx, key.username)
		return entry, fromDirectory(err, "user")
	case key.uid != 0:
		if key.uid < 1 || key.uid > math.MaxInt32 {
			return nil, notFound("user")
		}
		var err error
		if id, err = a.identity(ctx, personNumber, key.uid); err != nil {
			return nil, err
		}
	case id.IsZero():
		return nil, notFound("user")
	}
	entry, err := a.dir.PersonByID(ctx, id)
	return entry, fromDirectory(err, "user")
}

// people turns entries into people, in the same order, giving out the numeric
// ids that are still missing in one batch.
func (a *Adapter) people(ctx context.Context, entries []*directory.Entry) ([]*Person, error) {
	uids, err := a.numbersOf(ctx, personNumber, entries)
	if err != nil {
		return nil, err
	}
	locals, err := a.localsOf(ctx, uids)
	if err != nil {
		return nil, err
	}
	people := make([]*Person, len(entries))
	for i, e := range entries {
		people[i] = &Person{
			UID:        uids[i],
			ID:         e.ID,
			Username:   e.Login,
			Name:       e.DisplayName(),
			GivenName:  e.Attributes.First(directory.AttrGivenName),
			FamilyName: e.Attributes.First(directory.AttrFamilyName),
			Mail:       e.Attributes[directory.AttrMail],
			Phone:      e.Attributes.First(directory.AttrPhone),
			Mobile:     e.Attributes.First(directory.AttrMobile),
			HasPIN:     locals[i].HasPIN,
			HasTOTP:    locals[i].HasTOTP,
			Epoch:      locals[i].Closings,
			Attributes: e.Attributes,
			Entry:      e,
		}
	}
	return people, nil
}

func (a *Adapter) peopleByUID(ctx context.Context, entries []*directory.Entry) ([]*Person, error) {
	people, err := a.people(ctx, entries)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(people, func(x, y *Person) int { return cmp.Compare(x.UID, y.UID) })
	return people, nil
}
