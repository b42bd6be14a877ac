"""The command line. Commands are thin: they parse, ask operations, and print.

Importing this package is cheap; every command loads what it needs when it runs.
"""

from dingbell.cli.main import main

__all__ = ["main"]
