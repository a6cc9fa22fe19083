-- This column holds the signature by a key pair, `2.KEYID.SIGNATURE`, beside the MAC in
-- `signature`. Empty: a core without a pair wrote the row.
ALTER TABLE outbox ADD COLUMN proof VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '';
