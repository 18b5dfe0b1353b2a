package main

import (
	"fmt"
	"log/slog"

	"portico/configs"
	"portico/directory/mapping"
	"portico/directory/population"
	"portico/directory/writer"
)

// writer makes what changes a directory; nil where the configuration does not
// allow it.
func (m *member) writer(log *slog.Logger) (population.Writer, error) {
	if !m.cfg.Write.Enabled {
		return nil, nil
	}
	encoder, err := mapping.NewEncoder(m.mapper, directoryWriteConfig(m.preset))
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", m.cfg.Name, err)
	}
	return writer.New(writer.Config{
		Directory: m.cfg.Name, Lock: writer.Lock{Method: writer.LockNone},
		ActiveDirectory: m.preset.StatusRules == "activedirectory", ServerKeepsReferences: m.preset.StatusRules == "activedirectory",
	}, encoder, m.client, log), nil
}

func directoryWriteConfig(p configs.Preset) mapping.WriteConfig {
	return mapping.WriteConfig{
		UserClasses: p.Write.UserClasses, GroupClasses: p.Write.GroupClasses,
		UserRDN: p.Write.UserRDN, GroupRDN: p.Write.GroupRDN,
		UserContainer: p.Write.UserContainer, GroupContainer: p.Write.GroupContainer,
		EmptyGroup: mapping.EmptyGroupDN,
	}
}
