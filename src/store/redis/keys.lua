-- Stands before the scripts that work on the persons of one source: names the keys, in the order of
-- `Names::of_source`.
local seen, deliveries, kills, waiting, done, dead, ignored, links, accounts, awaits, awaiting,
  appointments, choices, sources, needed, queue, live, bulk, leases, work = unpack(KEYS)
