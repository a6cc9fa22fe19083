-- The history of breakers is read, and purged, by its age.
ALTER TABLE breaker_transition ADD KEY by_time (changed_us);
