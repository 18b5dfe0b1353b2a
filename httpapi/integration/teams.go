package integration

import "net/http"

// listTeams answers with the names of the teams that are not hidden.
func (a *API) listTeams(c *call) error {
	list, err := a.adapter.TeamNames(c.r.Context())
	if err != nil {
		return err
	}
	body, err := a.cached(&a.teams, list, func() any {
		if list.Names == nil {
			return []string{}
		}
		return list.Names
	})
	if err == nil {
		a.answer(c, body)
	}
	return err
}

// showTeam answers with one team, hidden or not.
func (a *API) showTeam(c *call) error {
	name, ok := c.form.last("teamname")
	if !ok || name == "" {
		return refusal{http.StatusBadRequest, "The field teamname is missing."}
	}
	c.about = name
	t, err := a.adapter.Team(c.r.Context(), name)
	if err != nil {
		return err
	}
	body, err := encode(struct {
		Hidden      bool     `json:"hidden"`
		Teamname    string   `json:"teamname"`
		Description string   `json:"description"`
		Leaders     []string `json:"leaders"`
		Members     object   `json:"members"`
	}{t.Hidden, t.Name, t.Description, t.Leaders, roles(t.Members)})
	if err == nil {
		a.answer(c, body)
	}
	return err
}
