"""A driver in a process of its own: ``python run_driver.py FOLDER NUMBER FUNCTION [CLOCK_OFF_S]``.

Its clock may be off, as that of another machine may be.
"""

import logging
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from small_tasks import drive, task

from chandelle.compute import usage


def shift_clock(off_s: float) -> None:
    """Let this process believe in another time."""
    true = time.time
    time.time = lambda: true() + off_s
    usage.now = lambda: (datetime.now(UTC) + timedelta(seconds=off_s)).isoformat()


def main() -> None:
    """Run so many tasks in this process."""
    logging.basicConfig(level=logging.WARNING)
    folder, number, call = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    if sys.argv[4:]:
        shift_clock(float(sys.argv[4]))
    tally = drive(folder, [task(k, call) for k in range(number)])
    sys.stdout.write(f"{tally.done} {tally.skipped} {tally.n_failed}\n")


if __name__ == "__main__":
    main()
