"""Sending: waves of queued batches are claimed, called, and their outcomes written."""
