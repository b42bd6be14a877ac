"""What the parts of an exported file share: its zone, and the variables that stand for secrets."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field

__all__ = ["Placeholder", "Sheet"]

_NOT_IN_NAMES = re.compile(r"[^A-Z0-9]+")


class Placeholder(str):
    """`${NAME}`, as it is written; in any other text `$` stands for itself."""

    __slots__ = ()


@dataclass(slots=True)
class Sheet:
    """An exported file.

    Attributes:
        zone: the zone of the file.
        variables: the names of those that have to be set before it can be read.
    """

    zone: str
    variables: dict[str, Hashable] = field(default_factory=dict)

    def secret(self, owner: Hashable, *, name: str, otherwise: str) -> Placeholder:
        """A variable in place of a secret: the same for whoever owns it, another for others.

        Args:
            owner: whose secret it is.
            name: what the variable is called, as far as its signs may stand in a name.
            otherwise: what it is called where none of them may.
        """
        wanted = _NOT_IN_NAMES.sub("_", name.upper()).strip("_")
        plain = wanted if re.match("[A-Z]", wanted) and name.isascii() else otherwise
        found, count = plain, 1
        while self.variables.get(found, owner) != owner:
            count += 1
            found = f"{plain}_{count}"
        self.variables[found] = owner
        return Placeholder(f"${{{found}}}")
