package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"portico/adapter"
)

func (u *userTool) appPassword() *cobra.Command {
	return u.accesses("apppassword", "app password", "password",
		(*adapter.Adapter).AddAppPassword, (*adapter.Adapter).ListAppPasswords, (*adapter.Adapter).RevokeAppPassword)
}

func (u *userTool) mobile() *cobra.Command {
	list := func(a *adapter.Adapter, ctx context.Context, who adapter.PersonKey) ([]adapter.AppPassword, error) {
		codes, err := a.ListMobileCodes(ctx, who)
		shown := make([]adapter.AppPassword, len(codes))
		for i, c := range codes {
			shown[i] = adapter.AppPassword(c) // the same members
		}
		return shown, err
	}
	return u.accesses("mobile", "sync code of a phone", "code",
		(*adapter.Adapter).AddMobileCode, list, (*adapter.Adapter).RevokeMobileCode)
}

// accesses makes the commands for secrets that a person may have several of. name
// is what JSON calls a new one.
func (u *userTool) accesses(use, what, name string,
	add func(*adapter.Adapter, context.Context, adapter.PersonKey, string, string, adapter.Client) (string, error),
	list func(*adapter.Adapter, context.Context, adapter.PersonKey) ([]adapter.AppPassword, error),
	revoke func(*adapter.Adapter, context.Context, adapter.PersonKey, int64, string, adapter.Client) error,
) *cobra.Command {
	return parent(
		use, "Make, list and revoke: "+what,
		u.leaf("add USER DESCRIPTION", "Make one and print it, once", 2, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, args []string) error {
			plain, err := add(a, ctx, who, args[0], operator, adapter.Client{})
			if err != nil {
				return err
			}
			return u.secret(name, plain)
		}),
		u.leaf("list USER", "List them, without the secrets", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			all, err := list(a, ctx, who)
			if err != nil {
				return err
			}
			if u.json {
				return writeJSON(u.out, all)
			}
			rows := [][]string{{"ID", "CREATED", "LAST USED", "DESCRIPTION"}}
			for _, x := range all {
				rows = append(rows, []string{strconv.FormatInt(x.ID, 10), when(&x.Created), when(x.LastUsed), x.Description})
			}
			return writeTable(u.out, rows)
		}),
		u.leaf("revoke USER ID", "Revoke one", 2, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, args []string) error {
			id, err := number(args[0])
			if err != nil {
				return err
			}
			if err := revoke(a, ctx, who, id, operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("%s %d revoked", what, id)
		}),
	)
}

func (u *userTool) permission() *cobra.Command {
	change := func(use, short, past string, run func(*adapter.Adapter, context.Context, adapter.PersonKey, string, string, adapter.Client) error) *cobra.Command {
		return u.leaf(use+" USER CODE", short, 2, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, args []string) error {
			if err := run(a, ctx, who, args[0], operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("%s %s", args[0], past)
		})
	}
	all := &cobra.Command{
		Use: "codes", Short: "List all permission codes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return u.withTool(cmd.Context(), u.config, func(ctx context.Context, t *app) error {
				list, err := t.adapter.Permissions(ctx)
				if err != nil {
					return err
				}
				return u.showPermissions(list)
			})
		},
	}
	return parent(
		"permission", "Grant, revoke and list permissions",
		change("grant", "Grant a permission; ADMIN grants all", "granted", (*adapter.Adapter).GrantPermission),
		change("revoke", "Take a permission back", "revoked", (*adapter.Adapter).RevokePermission),
		u.leaf("list USER", "List a person's permissions", 1, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, _ []string) error {
			list, err := a.ListPermissions(ctx, who)
			if err != nil {
				return err
			}
			return u.showPermissions(list)
		}),
		all, u.definePermission(),
	)
}

func (u *userTool) definePermission() *cobra.Command {
	return &cobra.Command{
		Use: "define CODE DESCRIPTION", Short: "Add a permission code, or change its description", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return u.withTool(cmd.Context(), u.config, func(ctx context.Context, t *app) error {
				p, err := t.adapter.DefinePermission(ctx, args[0], args[1], operator)
				if err != nil {
					return err
				}
				return u.showPermissions([]adapter.PermissionInfo{p})
			})
		},
	}
}

func (u *userTool) showPermissions(list []adapter.PermissionInfo) error {
	if u.json {
		return writeJSON(u.out, list)
	}
	rows := [][]string{{"ID", "CODE", "DESCRIPTION"}}
	for _, x := range list {
		rows = append(rows, []string{strconv.FormatInt(x.ID, 10), x.Code, x.Description})
	}
	return writeTable(u.out, rows)
}

func (u *userTool) manager() *cobra.Command {
	return parent(
		"manager", "Local managers, beside those that the directory names",
		u.leaf("add USER MANAGER", "Make somebody a manager of the person", 2, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, args []string) error {
			if err := a.AddManager(ctx, adapter.ByUsername(args[0]), who, operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("%s is a manager now", args[0])
		}),
		u.leaf("remove USER MANAGER", "Take a local manager away", 2, func(ctx context.Context, a *adapter.Adapter, who adapter.PersonKey, args []string) error {
			if err := a.RemoveManager(ctx, adapter.ByUsername(args[0]), who, operator, adapter.Client{}); err != nil {
				return err
			}
			return u.done("%s is no local manager any more", args[0])
		}),
	)
}
