package action

import "portico/adapter"

// isManagerOf takes user names, or uids when the parameter uid is 1.
func isManagerOf(a *API, c *call) error {
	key := func(name string) adapter.PersonKey { return adapter.ByUsername(c.name(name)) }
	if mode, ok := c.params.get("uid").number(); ok && mode == 1 {
		key = func(name string) adapter.PersonKey { return adapter.ByUID(c.params.get(name).id()) }
	}
	managerOf, err := a.adapter.IsManagerOf(c.ctx, key("manager"), key("employee"))
	if err != nil {
		return err
	}
	c.okBool("managerof", managerOf)
	return nil
}

// getManaged lists uids, or user names in the order of the uids.
func getManaged(a *API, c *call) error {
	people, err := a.adapter.Managed(c.ctx, c.person())
	if err != nil {
		return err
	}
	write := appendUID
	if c.text("get") == "username" {
		write = appendUsername
	}
	c.ok()
	list(c, "employees", people, write)
	c.close()
	return nil
}

func getManagers(a *API, c *call) error {
	people, err := a.adapter.Managers(c.ctx, c.person())
	if err != nil {
		return err
	}
	c.ok()
	list(c, "managers", people, appendUID)
	c.close()
	return nil
}
