"""The tables of the path: runs, batches, calls, deliveries, and what is asked of them."""
