-- The server's own time beside the sidecar's: a sidecar that takes over sees by it how far
-- its clock is ahead of its predecessor's. NULL until the next commit: rows of before would have
-- the time of this statement.
ALTER TABLE checkpoint
  ADD COLUMN server_time TIMESTAMP(6) NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6);
