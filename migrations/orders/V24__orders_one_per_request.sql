-- A second order for the same request of an account is refused by this key.
ALTER TABLE orders ADD UNIQUE KEY one_per_request (account_id, identity);
