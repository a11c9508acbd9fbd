"""The audit trail: append-only, every row chained to the one before it by its hash."""
