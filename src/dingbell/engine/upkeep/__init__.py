"""Upkeep: what watches over the path, and what a person asked for beside it."""
