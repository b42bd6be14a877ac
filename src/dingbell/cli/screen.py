"""What commands write on: text from outside cannot steer the terminal that shows it."""

from __future__ import annotations

import re
import sys
from typing import Any, TextIO, cast

from dingbell.display import visible

__all__ = ["bare", "guard"]

# Colours, which the log has on a terminal.
_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")


class _Screen:
    """A stream whose text is made fit to be shown; everything else is the stream's own."""

    def __init__(self, stream: TextIO, *, colours: bool) -> None:
        self.stream = stream
        self._colours = colours and stream.isatty()

    def write(self, text: str) -> int:
        if self._colours:
            parts = _COLOUR.split(text)
            # Every second part is a colour.
            parts[::2] = map(visible, parts[::2])
            self.stream.write("".join(parts))
        else:
            self.stream.write(visible(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def guard() -> None:
    """Let nothing steer the terminal from here on; a repeat changes nothing."""
    sys.stdout = _guarded(sys.stdout, colours=False)
    sys.stderr = _guarded(sys.stderr, colours=True)


def _guarded(stream: TextIO, *, colours: bool) -> TextIO:
    screen = stream if isinstance(stream, _Screen) else _Screen(stream, colours=colours)
    return cast("TextIO", screen)


def bare(stream: TextIO) -> TextIO:
    """The stream itself, for what draws tables and colours of its own from text that is fit."""
    return stream.stream if isinstance(stream, _Screen) else stream
