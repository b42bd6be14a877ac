"""The only SQL of the product: one module per table, one dialect, PostgreSQL."""
