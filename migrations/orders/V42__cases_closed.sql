-- How a case ended: when, by whom (`channel`, `upstream` or `core` if no person had
-- to), and a person's note.
ALTER TABLE cases
  ADD COLUMN closed_us BIGINT       NULL,
  ADD COLUMN closed_by VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
  ADD COLUMN note      VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL;
