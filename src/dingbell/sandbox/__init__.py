"""A faithful pretend DingTalk: its wire, its limits, a company of people with phones.

It shares no code with the client and knows nothing of the service. Importing this package is
cheap; the server is loaded when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dingbell.sandbox.server import Sandbox, serve
    from dingbell.sandbox.wire.refusals import MisuseError

__all__ = ["MisuseError", "Sandbox", "serve"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dingbell.sandbox import server
    from dingbell.sandbox.wire import refusals

    return refusals.MisuseError if name == "MisuseError" else getattr(server, name)
