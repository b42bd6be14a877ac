"""Cutting long lists into the pages that directory calls ask for."""

from collections.abc import Sequence
from typing import TypeVar

from dingbell.sandbox.wire.arguments import Arguments
from dingbell.sandbox.wire.refusals import RefusalError

Item = TypeVar("Item")


def by_cursor(args: Arguments, items: Sequence[Item]) -> tuple[list[Item], int | None]:
    """The page of at most 100 items at `cursor`, and the next cursor if there is more."""
    return _page(items, args.need_integer("cursor"), args.need_integer("size"), 100)


def by_offset(args: Arguments, items: Sequence[Item], most: int) -> tuple[list[Item], int | None]:
    """The page at `offset` (0) of `size` (20) items, and the next offset if there is more."""
    size = args.integer("size")
    return _page(items, args.integer("offset") or 0, 20 if size is None else size, most)


def _page(items: Sequence[Item], start: int, size: int, most: int) -> tuple[list[Item], int | None]:
    if not 0 < size <= most:
        raise RefusalError(40069)
    if start < 0:
        raise RefusalError(40068)
    end = start + size
    return list(items[start:end]), end if end < len(items) else None
