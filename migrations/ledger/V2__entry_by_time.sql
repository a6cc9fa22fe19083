-- An account's entries in the order of time, for reading them page by page and for
-- statements: the cost of a page does not grow with history.
ALTER TABLE entry
  ADD KEY by_time (account_id, currency, created_us, posting_id, line);
