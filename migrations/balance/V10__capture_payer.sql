-- The account that a payment came from, as its event names it: a refund goes back to it and
-- to nobody else. NULL if nobody said.
ALTER TABLE capture ADD COLUMN payer VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL;
