"""`python -m dingbell`."""

from dingbell.cli import main

main()
