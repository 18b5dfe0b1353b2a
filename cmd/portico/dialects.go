package main

import (
	"portico/httpapi"
	"portico/httpapi/action"
	"portico/httpapi/console"
)

// dialects makes the APIs and pages that the configuration asks for, in the order
// in which their routes are tried: what lies at the root comes last.
func (a *app) dialects() ([]httpapi.Dialect, error) {
	var list []httpapi.Dialect
	if a.cfg.APIs.Integration.Enabled {
		api, err := a.newIntegration()
		if err != nil {
			return nil, err
		}
		list = append(list, api)
	}
	if a.cfg.APIs.SCIM.Enabled {
		service, err := a.newSCIM()
		if err != nil {
			return nil, err
		}
		list = append(list, service)
	}
	pages, err := a.newPages()
	if err != nil {
		return nil, err
	}
	if a.cfg.APIs.Collaboration.Enabled {
		list = append(list, a.collaborationAPI(pages)) // before the action API, which has all of /api/
	}
	if a.cfg.APIs.Action.Enabled {
		api, err := a.newAction(pages)
		if err != nil {
			return nil, err
		}
		list = append(list, api)
	}
	if a.cfg.APIs.Action.Enabled || a.cfg.APIs.UserManagement.Enabled {
		list = append(list, pages)
	}
	if a.cfg.APIs.UserManagement.Enabled { // may lie at the root: the last of all
		api, err := a.newUserManagement()
		if err != nil {
			return nil, err
		}
		list = append(list, api)
	}
	return list, nil
}

func (a *app) newAction(pages *console.Console) (*action.API, error) {
	settings := a.actionConfig()
	settings.Sessions = pages
	return action.New(settings, a.adapter, a.log)
}
