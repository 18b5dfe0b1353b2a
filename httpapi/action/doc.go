// Package action speaks the AccountHub action API: every form of its URLs, its
// merging and checking of parameters, its key levels and its answers.
//
// The table of actions (table.go) says for each action its level, its parameters
// and its handler. A request goes through the same steps whatever its form:
// merge.go gathers the parameters, api.go checks key, action, parameters and
// level in the documented order, the handler calls one verb of the adapter, and
// answer.go encodes what came back. What the verbs mean is the adapter's affair;
// the mobile API and the pages are not here.
//
// Where a parameter is given more than once, the later source wins: on api.php
// query, then form body, then JSON body; on api/ form body, JSON body, path, then
// query. Within one source the last one wins. Key and action are looked up
// like every other parameter, so that what is checked is what is run.
package action
