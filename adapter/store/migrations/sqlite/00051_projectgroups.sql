-- +goose Up

-- Numbers of groups of projects, by name: given out once.
CREATE TABLE project_group_ids (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- +goose Down

DROP TABLE project_group_ids;
