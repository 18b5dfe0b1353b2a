// Package action speaks the AccountHub action API and its mobile API: every form
// of their URLs, their merging and checking of parameters, key levels and answers.
//
// The two tables of actions (table.go) say for each action its level, its
// parameters and its handler. A request goes through the same steps whatever its
// form: merge.go gathers the parameters, api.go or mobile.go checks caller, action,
// parameters and level in the documented order, the handler calls one verb of the
// adapter, and answer.go encodes what came back. What the verbs mean is the
// adapter's affair (needs.go lists them); the pages for people are not here.
//
// Where a parameter is given more than once, the later source wins: on api.php
// and mobile/ query, then form body, then JSON body; on api/ form body, JSON body,
// path, then query. Within one source the last one wins. Key and action are looked
// up like every other parameter, so that what is checked is what is run.
package action
