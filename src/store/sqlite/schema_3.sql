-- Runs and their items.

CREATE TABLE run (
    id          TEXT PRIMARY KEY,
    source      TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    started     INTEGER NOT NULL,
    ended       INTEGER NOT NULL CHECK (ended IN (0, 1)),
    record      TEXT NOT NULL
) STRICT;
CREATE INDEX run_by_age ON run (started) WHERE ended = 1;

CREATE TABLE item (
    run         TEXT NOT NULL,
    number      INTEGER NOT NULL,
    record      TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
