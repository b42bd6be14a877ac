"""Which language the command line speaks: `--lang`, `DINGBELL_LANG`, or the locale."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from dingbell.errors import Text, sentence

__all__ = ["chosen", "say", "tr"]


def chosen(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """`zh` or `en`; help texts are made before options are parsed, so this looks for itself."""
    arguments = sys.argv[1:] if arguments is None else arguments
    environment = os.environ if environment is None else environment
    for place, argument in enumerate(arguments):
        if argument.startswith("--lang="):
            return _known(argument.partition("=")[2])
        if argument == "--lang" and place + 1 < len(arguments):
            return _known(arguments[place + 1])
    for name in ("DINGBELL_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return _known(value)
    return "en"


def _known(name: str) -> str:
    return "zh" if name.lower().startswith("zh") else "en"


_LANGUAGE = chosen()


def say(text: str) -> str:
    """A text in the chosen language."""
    return sentence(text).zh if _LANGUAGE == "zh" else str(text)


def tr(en: str, zh: str) -> str:
    """One of two texts, by the chosen language."""
    return say(Text(en, zh))
