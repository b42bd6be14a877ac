"""Rosters: lists of people inside a notice, cut to what a notice of DingTalk's holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dingbell.domain.message import Message, TooLongError

__all__ = ["Person", "shortened", "split"]

# Somebody in a list: `userid`, `name`, and whatever else templates may show.
Person = Mapping[str, Any]


def shortened(
    message: Message, variables: Mapping[str, Any], people: Sequence[Person], *, run_id: int
) -> Sequence[Person]:
    """As many of the people as fit; where some do not, a last entry says how many there are.

    Args:
        message: uses `{{ unread }}`.
        variables: what else it uses.
        people: the whole list.
        run_id: the run whose full list the last entry points to.
    """
    if _fits(message, variables, people):
        return people
    words = f"… 共 {len(people)} 人 (all: dingbell runs show {run_id} --state unread)"
    # Whatever a template shows of each, it shows this.
    rest = {"userid": words, "name": words}
    fitting = _most(lambda count: _fits(message, variables, [*people[:count], rest]), len(people))
    return [*people[:fitting], rest]


def split(
    message: Message, variables: Mapping[str, Any], people: Sequence[Person]
) -> tuple[Sequence[Person], Sequence[Person]]:
    """As many of the people as fit into one notice, and the rest; at least one is taken."""
    fitting = _most(lambda count: _fits(message, variables, people[:count]), len(people))
    return people[: max(fitting, 1)], people[max(fitting, 1) :]


def _fits(message: Message, variables: Mapping[str, Any], people: Sequence[Person]) -> bool:
    try:
        message.body({**variables, "unread": people})
    except TooLongError:
        return False
    return True


def _most(fits: Callable[[int], bool], limit: int) -> int:
    """The largest count up to a limit that fits, where fewer always fit if more do."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
