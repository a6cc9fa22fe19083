-- This column holds the client that asked for the posting: empty for what was booked
-- before it, and `kafka` for payments that the intake captured.
ALTER TABLE entry ADD COLUMN client VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';
