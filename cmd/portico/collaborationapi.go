package main

import (
	"context"
	"sync"

	"portico/adapter"
	"portico/adapter/collaboration"
	"portico/configs"
	collabapi "portico/httpapi/collaboration"
	"portico/httpapi/console"
	webfetch "portico/internal/fetch"
)

// maxLogo bounds a logo that is read from an address.
const maxLogo = 2 << 20

// newCollaborations makes what the collaboration API, its pages and its commands
// stand on.
func (a *app) newCollaborations(settings adapter.Config) *collaboration.Collaborations {
	c := a.cfg.APIs.Collaboration
	deps := collaboration.Deps{
		People: a.adapter, Accounts: a.adapter, Directory: a.adapter, Post: a.adapter, Store: a.store, Texts: settings.Mail.Texts, Log: a.log,
	}
	if c.FetchLogos {
		deps.Fetch = webfetch.New(maxLogo)
	}
	return collaboration.New(collaboration.Config{
		UserID: c.UserID, Cleanse: c.CleanseShortNames, RequireShortName: c.RequireShortName, PastExpiry: c.PastExpiry,
		InvitationDays: c.InvitationDays, PagePath: a.cfg.APIs.Action.Prefix, SignUpDirectory: c.SignUpDirectory,
		Container: c.WriteContainer, WriteDirectory: c.WriteDirectory, VisibleAsGroups: c.VisibleAsGroups,
		InvitationRemind: c.InvitationRemind, InvitationPurge: c.InvitationPurge,
		CollabWarn: c.Warn, CollabPurge: c.Purge, CollabIdle: c.Idle,
		MembershipWarn: c.MembershipWarn, MembershipPurge: c.MembershipPurge, JobInterval: c.JobInterval,
	}, deps)
}

// collaborationAPI makes the dialect; pages know who is signed in.
func (a *app) collaborationAPI(pages *console.Console) *collabapi.API {
	c := a.cfg.APIs.Collaboration
	return collabapi.New(collabapi.Config{BaseURL: a.cfg.ExternalURL(), Envelope: c.Envelope}, collabapi.Deps{
		Adapter: a.collabs, People: a.adapter, Sessions: pages, Log: a.log,
	})
}

// pagesCollaborations is what the pages for invitations ask, nothing when the API is off.
func (a *app) pagesCollaborations() console.Collaborations {
	if !a.cfg.APIs.Collaboration.Enabled {
		return nil
	}
	return a.collabs
}

func largerBodies(cfg *configs.Config) map[string]int64 {
	if !cfg.APIs.Collaboration.Enabled {
		return nil
	}
	return collabapi.LargerBodies()
}

// runCollaborations does the jobs of the collaborations until ctx ends, and again
// after a panic.
func (a *app) runCollaborations(ctx context.Context) {
	var work sync.WaitGroup
	work.Go(func() { a.adapter.Restarting(ctx, "collaborations", a.collabs.Run) })
	if a.cfg.APIs.Collaboration.WriteContainer != "" {
		work.Go(func() { a.adapter.Restarting(ctx, "collaborations in the directory", a.collabs.RunWrites) })
	}
	work.Wait()
}
