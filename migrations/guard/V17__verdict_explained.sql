-- What a person needs to understand a verdict without the code: the set, the amount,
-- what was read, how many breakers it moved, and by which suppression it opened none.
ALTER TABLE verdict
  ADD COLUMN set_version BIGINT        NOT NULL DEFAULT 0,
  ADD COLUMN amount      DECIMAL(20,4) NULL,
  ADD COLUMN detail      MEDIUMTEXT    CHARACTER SET utf8mb4 NULL,
  ADD COLUMN suppression CHAR(32)      CHARACTER SET ascii COLLATE ascii_bin NULL,
  ADD COLUMN opened      INT           NOT NULL DEFAULT 0,
  ADD KEY by_trip (rule, mode, outcome, opened, found_us);
