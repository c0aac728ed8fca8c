-- What a run has read of the target while it compares. Kept for as long as that takes.

CREATE TABLE page (
    run         TEXT NOT NULL,
    number      INTEGER NOT NULL,
    record      TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;
