"""Clients of DingTalk for the apps in the database, their shared tokens, and their rate limit."""

from dingbell.clients.patience import patiently
from dingbell.clients.registry import CALL_TIMEOUT, Clients

__all__ = ["CALL_TIMEOUT", "Clients", "patiently"]
