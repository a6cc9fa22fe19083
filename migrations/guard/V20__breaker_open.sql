-- The claim reads the breakers that are open, not all that ever were.
ALTER TABLE breaker ADD KEY by_state_alone (state);
