"""Fail where the tests reach too little of the code; `make coverage` asks after they have run."""

from __future__ import annotations

import io
import sys
from dataclasses import dataclass

from coverage import Coverage


@dataclass(frozen=True)
class Floor:
    """How much of some files must have run, lines and branches together, in percent."""

    name: str
    files: str
    percent: float


FLOORS = (
    Floor("domain", "src/dingbell/domain/*", 95),
    Floor("dingtalk", "src/dingbell/dingtalk/*", 95),
    Floor("planning", "src/dingbell/planning/*", 95),
    Floor("everything", "src/dingbell/*", 85),
)


def main() -> int:
    """Put the data of all processes together, print a line a floor, and what is missing below."""
    measured = Coverage()
    measured.combine()
    measured.save()
    failed = False
    for floor in FLOORS:
        report = io.StringIO()
        percent = measured.report(
            include=[floor.files], file=report, show_missing=True, skip_covered=True
        )
        print(f"coverage of {floor.name}: {percent:.1f} % (at least {floor.percent:g} %)")
        if percent < floor.percent:
            failed = True
            print(report.getvalue())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
