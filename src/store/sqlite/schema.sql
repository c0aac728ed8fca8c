-- The first shape of the file. What a program must understand is in the versioned `record` of a
-- row; the columns beside it are what rows are found by. Times are milliseconds since 1970.
-- A released file is never edited: a change of shape is a further step in file.rs.

CREATE TABLE meta (
    name    TEXT PRIMARY KEY,
    value   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What was seen. `delivery` carries the event now; it may be gone already.
CREATE TABLE event (
    id          TEXT PRIMARY KEY,
    received    INTEGER NOT NULL,
    delivery    TEXT NOT NULL,
    repeats     INTEGER NOT NULL DEFAULT 0,
    record      TEXT NOT NULL,
    raw         BLOB NOT NULL
) STRICT;
CREATE INDEX event_by_age ON event (received);

CREATE TABLE delivery (
    id          TEXT PRIMARY KEY,
    event       TEXT NOT NULL,
    source      TEXT NOT NULL,
    employee    TEXT,
    kind        TEXT NOT NULL,
    code        TEXT,
    lane        TEXT NOT NULL CHECK (lane IN ('live', 'bulk')),
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'dead', 'ignored')),
    due         INTEGER NOT NULL,
    received    INTEGER NOT NULL,
    record      TEXT NOT NULL
) STRICT;
CREATE INDEX delivery_by_state ON delivery (state, id);
CREATE INDEX delivery_by_employee ON delivery (employee, id);
CREATE INDEX delivery_in_queue ON delivery (source, employee, lane, due) WHERE state = 'waiting';
CREATE INDEX delivery_needs_event ON delivery (event) WHERE state IN ('waiting', 'dead');
CREATE INDEX delivery_by_age ON delivery (received) WHERE state IN ('done', 'ignored');

-- One row for each person with waiting deliveries, so that a lease never searches among those:
-- when the first one of each lane is due, and the lease. During a lease the times mean nothing; its
-- end works them out afresh.
CREATE TABLE person (
    source      TEXT NOT NULL,
    employee    TEXT NOT NULL,
    live_due    INTEGER,
    bulk_due    INTEGER,
    lease       TEXT,               -- the fencing token
    lease_until INTEGER,
    held        TEXT,               -- the ids of the leased deliveries, as a JSON list
    PRIMARY KEY (source, employee)
) STRICT, WITHOUT ROWID;
CREATE INDEX person_by_live ON person (source, live_due)
    WHERE lease IS NULL AND live_due IS NOT NULL;
CREATE INDEX person_by_bulk ON person (source, bulk_due)
    WHERE lease IS NULL AND bulk_due IS NOT NULL;
CREATE INDEX person_by_lease ON person (source, lease_until) WHERE lease IS NOT NULL;

-- Whose account is whose.
CREATE TABLE link (
    source      TEXT NOT NULL,
    employee    TEXT NOT NULL,
    account     TEXT UNIQUE,
    record      TEXT NOT NULL,
    PRIMARY KEY (source, employee)
) STRICT;

CREATE TABLE hold (
    scope       TEXT PRIMARY KEY,
    record      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
