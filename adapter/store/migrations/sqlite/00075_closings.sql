-- +goose Up

-- How often the sessions of a person were ended because of a change of the
-- account. A session that was begun before the last of them is not kept.
ALTER TABLE locals ADD COLUMN closings INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE locals DROP COLUMN closings;
