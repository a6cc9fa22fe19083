-- This column holds the core's seal of the row (contract, `provenance::entry_seal`). Empty: a core
-- of before the seal wrote it.
ALTER TABLE entry ADD COLUMN mac VARCHAR(48) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';
