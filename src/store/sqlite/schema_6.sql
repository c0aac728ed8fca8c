-- Tombstones: that somebody was forgotten, and when; nothing else.

CREATE TABLE forgotten (
    source      TEXT NOT NULL,
    employee    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (source, employee)
) STRICT, WITHOUT ROWID;
