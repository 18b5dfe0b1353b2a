package main

import (
	"log/slog"

	"portico/configs"
	"portico/directory/mapping"
	"portico/directory/writer"
)

// newWriter makes the writing side of a directory; it asks the directory nothing.
func (m *member) newWriter(log *slog.Logger) (*writer.Writer, error) {
	p, w := m.preset.Write, m.cfg.Write
	encoder, err := mapping.NewEncoder(m.mapper, mapping.WriteConfig{
		UserClasses: p.UserClasses, GroupClasses: p.GroupClasses, UserRDN: p.UserRDN, GroupRDN: p.GroupRDN,
		UserContainer: p.UserContainer, GroupContainer: p.GroupContainer,
		Auxiliary: plain(p.Auxiliary), UserDefaults: plain(p.UserDefaults), GroupDefaults: plain(p.GroupDefaults),
		EmptyGroup: mapping.EmptyGroup(p.EmptyGroup), Placeholder: w.PlaceholderDN, MaxRDN: p.MaxRDN,
		Unwritable: p.Unwritable, Single: p.Single,
	})
	if err != nil {
		return nil, err
	}
	return writer.New(writer.Config{
		Directory:             m.cfg.Name,
		Lock:                  lockOf(m.cfg, m.preset),
		ServerKeepsReferences: p.ServerReferences,
		ActiveDirectory:       m.preset.StatusRules == mapping.RulesActiveDirectory,
		Numbers: writer.Numbers{
			Mode: w.Numbers.Mode, Counter: w.Numbers.Counter, Attribute: w.Numbers.Attribute, First: w.Numbers.First, Last: w.Numbers.Last,
		},
	}, encoder, m.client, log), nil
}

func lockOf(d *configs.Directory, p configs.Preset) writer.Lock {
	return writer.Lock{
		Method: writer.LockMethod(p.Write.Disable), PolicyDN: d.PasswordPolicy,
		Attribute: d.Write.DisableWith.Attribute, Value: d.Write.DisableWith.Value,
	}
}

// disabledBy is the attribute that marks disabled accounts, if that is the way.
func disabledBy(d *configs.Directory, p configs.Preset) configs.AttributeValue {
	if p.Write.Disable != string(writer.LockAttribute) {
		return configs.AttributeValue{}
	}
	return d.Write.DisableWith
}

// placeholders are what stands in groups that must not be empty.
func placeholders(d *configs.Directory) []string {
	if d.Write.PlaceholderDN == "" {
		return nil
	}
	return []string{d.Write.PlaceholderDN}
}
