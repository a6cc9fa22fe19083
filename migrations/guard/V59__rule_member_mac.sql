-- The row's MAC under the provenance key (contract, `provenance::guard_rows`). NULL: written
-- by a program of before it.
ALTER TABLE rule_member ADD COLUMN mac CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL DEFAULT NULL;
