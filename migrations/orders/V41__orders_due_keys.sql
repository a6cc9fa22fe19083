-- Due orders are looked for by what is to be done with them, so that a hundred
-- thousand that wait for a breaker, or for one sick channel, cost the others
-- nothing. `by_state` holds all that counting and paging read.
ALTER TABLE orders
  ADD KEY by_state (state, due_us, order_id, created_us),
  ADD KEY by_channel (channel, state, due_us),
  ADD KEY by_client (client, order_id);
