"""What a scenario is told, and where it says what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Options"]


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured, and what was found to be wrong on the way.

    Attributes:
        full: the large sizes as well.
        peers: beside the peers as well; they take minutes, so in the first run only.
        wrong: sentences about results that must not be; a run with one of them fails.
        remarks: sentences worth reading beside the figures.
    """

    full: bool = False
    peers: bool = True
    wrong: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
