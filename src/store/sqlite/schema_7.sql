-- Runs with which somebody has yet to go on are found however old they are. Of those that were
-- written before, it is not known: they are looked at until they are let go.

ALTER TABLE run ADD COLUMN open INTEGER NOT NULL DEFAULT 1 CHECK (open IN (0, 1));
CREATE INDEX run_open ON run (id) WHERE open = 1;
