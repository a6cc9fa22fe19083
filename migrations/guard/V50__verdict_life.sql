-- A verdict is open until a person answers it. Verdicts of before this column are told
-- from those by the default, which V51 takes away.
ALTER TABLE verdict
  -- `open`, `answered`, `shadow` (nobody has to answer), or `before`.
  ADD COLUMN life          VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'before',
  ADD COLUMN severity      VARCHAR(8)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
  ADD COLUMN answered_us   BIGINT       NULL,
  ADD COLUMN answered_by   VARCHAR(64)  CHARACTER SET utf8mb4 NULL,
  ADD COLUMN answer        VARCHAR(400) CHARACTER SET utf8mb4 NULL,
  -- The reset that answered it: the breaker, `@`, and the version that it closed.
  ADD COLUMN answered_with VARCHAR(80)  CHARACTER SET ascii COLLATE ascii_bin NULL;
