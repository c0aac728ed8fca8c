-- The audit log. Its ids are in the order of their creation.

CREATE TABLE audit (
    id          TEXT PRIMARY KEY,
    at          INTEGER NOT NULL,
    record      TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_age ON audit (at);
