package importer

import (
	"context"
	"strings"

	"portico/adapter/store"
	"portico/directory"
)

// permissions defines the codes that are missing here.
func (r *run) permissions(ctx context.Context) error {
	for _, p := range r.data.permissions {
		result, err := r.Target.TakeOverPermission(ctx, p.Code, p.Description, r.rehearse())
		if err != nil {
			reason, err := why(err)
			if err != nil {
				return err
			}
			r.report.problem("permission codes", p.ID, p.Code, reason)
		}
		r.report.count("permission codes", result, 1)
	}
	return nil
}

// managers takes relations over between people who are here.
func (r *run) managers(ctx context.Context) error {
	var pairs []store.Pair
	for _, p := range r.data.managers {
		reason := ""
		switch {
		case p.Manager == p.Employee:
			reason = "nobody manages himself"
		case !r.taken[p.Manager]:
			reason = "the manager was not taken over"
		case !r.taken[p.Employee]:
			reason = "the employee was not taken over"
		}
		if reason == "" {
			pairs = append(pairs, p)
			continue
		}
		r.report.count("managers", store.TakenNot, 1)
		r.report.problem("managers", p.Manager, r.nameOf(p.Manager)+" of "+r.nameOf(p.Employee), reason)
	}
	for len(pairs) > 0 {
		n := min(len(pairs), store.MaxImport)
		results, err := r.Store.ImportManagers(ctx, foreign, pairs[:n], r.rehearse())
		if err != nil {
			return err
		}
		for _, result := range results {
			r.report.count("managers", result, 1)
		}
		pairs = pairs[n:]
	}
	return nil
}

func (r *run) nameOf(uid int64) string {
	if a := r.data.byUID[uid]; a != nil {
		return a.Username
	}
	return "nobody"
}

// groups gives directory groups the numbers of those with the same name.
func (r *run) groups(ctx context.Context) error {
	first := map[directory.ID]bool{}
	for i, g := range r.data.groups {
		r.opts.Progress("groups", i+1, len(r.data.groups))
		found, err := r.Groups.GroupsByName(ctx, g.name)
		if err != nil {
			return err
		}
		reason := ""
		switch {
		case len(found) == 0:
			reason = "no group in the directory has this name"
		case len(found) > 1:
			reason = "several groups in the directory have this name"
		case first[found[0].ID]:
			reason = "another group of this name was there before"
		}
		if reason != "" {
			r.leaveGroup(g, reason)
			continue
		}
		first[found[0].ID] = true
		sub := store.Subject{Directory: found[0].ID.Directory, Stable: found[0].ID.Stable, Name: found[0].Name}
		out, err := r.Store.TakeOverGroup(ctx, sub, g.gid, r.rehearse())
		if err != nil {
			if reason, err = why(err); err != nil {
				return err
			}
			r.leaveGroup(g, reason)
			continue
		}
		r.report.count("groups", out.Result, 1)
		if out.Result == store.TakenNow {
			r.report.Groups = append(r.report.Groups, Group{GID: g.gid, Name: found[0].Name, Was: out.Was})
		}
	}
	return nil
}

// leaveGroup reports a group that is not taken over, with its members, so that
// somebody can make it in the directory.
func (r *run) leaveGroup(g *group, reason string) {
	r.report.count("groups", store.TakenNot, 1)
	left := LeftGroup{GID: g.gid, Name: g.name, Reason: reason, Members: []string{}}
	for _, uid := range g.members {
		if a := r.data.byUID[uid]; a != nil && !a.deleted {
			left.Members = append(left.Members, a.Username)
		}
	}
	r.report.GroupsLeft = append(r.report.GroupsLeft, left)
}

// keys takes API keys over. They are told apart in the report by their notes.
func (r *run) keys(ctx context.Context) error {
	for _, k := range r.data.keys {
		result, err := r.Target.TakeOverKey(ctx, k.value, k.level, k.notes, r.rehearse())
		if err != nil {
			reason, err := why(err)
			if err != nil {
				return err
			}
			r.report.problem("API keys", 0, strings.TrimSpace(k.notes), reason)
		}
		r.report.count("API keys", result, 1)
	}
	return nil
}
