-- The server's own time beside the sidecar's: a sidecar that takes over sees by it how far
-- its clock is ahead of its predecessor's.
ALTER TABLE checkpoint
  ADD COLUMN server_time TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6);
