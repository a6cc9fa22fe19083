-- Suppressions go so long after they expired.
ALTER TABLE suppression ADD KEY by_expiry (expires_us);
