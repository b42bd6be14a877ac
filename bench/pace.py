"""The pace that DingTalk allows, computed: the floor of whatever is sent to many people."""

from __future__ import annotations

__all__ = ["PEOPLE_PER_CALL", "earliest_end"]

PEOPLE_PER_CALL = 100
_CALL_WINDOW = 1.0
_PEOPLE_WINDOW = 60.0


def earliest_end(batches: int, *, calls: int, people: int) -> float:
    """When the last of some full batches may leave: two sliding windows, neither overfilled.

    Args:
        batches: how many there are; the first leaves at 0.
        calls: how many calls fit into a second.
        people: how many people fit into a minute.
    """
    per_minute = people // PEOPLE_PER_CALL
    leaves = [0.0] * batches
    for number in range(batches):
        if number >= calls:
            leaves[number] = leaves[number - calls] + _CALL_WINDOW
        if number >= per_minute:
            later = leaves[number - per_minute] + _PEOPLE_WINDOW
            leaves[number] = max(leaves[number], later)
    return leaves[-1]
