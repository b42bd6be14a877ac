"""Settling: runs whose batches are all final, and what follows them."""
