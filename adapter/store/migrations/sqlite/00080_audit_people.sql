-- +goose Up

-- Which records concern whom. Rows are added in large sorted pieces, some time
-- after the records: an index of the table itself would cost every sign-in a page.
-- Records after audit_indexed.seq are not in here yet.
CREATE TABLE audit_people (
  uid INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (uid, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit_indexed (
  seq INTEGER NOT NULL
) STRICT;
INSERT INTO audit_people (uid, seq) SELECT uid, seq FROM audit WHERE uid <> 0 ORDER BY uid, seq;
INSERT INTO audit_indexed (seq) SELECT coalesce(max(seq), 0) FROM audit;
DROP INDEX audit_uid;

-- +goose Down
CREATE INDEX audit_uid ON audit (uid, seq) WHERE uid <> 0;
DROP TABLE audit_indexed;
DROP TABLE audit_people;
