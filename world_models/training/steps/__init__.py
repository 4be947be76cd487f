"""One optimiser step: what it is computed from, the update, and what it tells."""
