"""The apps that may call the pretend DingTalk, with credentials made from the seed."""

import random
import string
from dataclasses import dataclass

_KEY_LETTERS = string.ascii_lowercase + string.digits
_SECRET_LETTERS = string.ascii_letters + string.digits + "-_"
_FIRST_AGENT = 2_900_000_000  # real agent ids no longer fit into 32 signed bits


@dataclass(frozen=True, slots=True)
class App:
    """One internal app (企业内部应用).

    Attributes:
        app_key: AppKey, also called Client ID.
        app_secret: AppSecret.
        agent_id: AgentId, the sender of work notifications.
        org: The corp id whose limits the app is counted against.
    """

    app_key: str
    app_secret: str
    agent_id: int
    org: str


def make(count: int, seed: int) -> tuple[App, ...]:
    """Make `count` apps, each in an organisation of its own; the same seed makes the same apps."""
    dice = random.Random(f"apps:{seed}")  # noqa: S311 - pretend credentials must repeat
    agents = _FIRST_AGENT + dice.randrange(10_000_000) * 10
    return tuple(
        App(
            app_key="ding" + _word(dice, _KEY_LETTERS, 16),
            app_secret=_word(dice, _SECRET_LETTERS, 64),
            agent_id=agents + number,
            org="ding" + _word(dice, "0123456789abcdef", 32),
        )
        for number in range(count)
    )


def _word(dice: random.Random, letters: str, length: int) -> str:
    return "".join(dice.choices(letters, k=length))
