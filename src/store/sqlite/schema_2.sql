-- What the rules of a company need: who waits for a manager or for a date, what humans decided, and
-- texts that processes share. Links of before wait for nothing.

ALTER TABLE link ADD COLUMN awaits TEXT;
ALTER TABLE link ADD COLUMN appointment INTEGER;
CREATE INDEX link_by_awaits ON link (source, awaits, employee) WHERE awaits IS NOT NULL;
CREATE INDEX link_by_appointment ON link (appointment) WHERE appointment IS NOT NULL;

-- Beside the link, not in it: a worker who writes the link never writes this.
CREATE TABLE choice (
    source      TEXT NOT NULL,
    employee    TEXT NOT NULL,
    record      TEXT NOT NULL,
    PRIMARY KEY (source, employee)
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
    name        TEXT PRIMARY KEY,
    text        TEXT NOT NULL
) STRICT;
