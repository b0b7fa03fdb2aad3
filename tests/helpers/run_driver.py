"""A driver in a process of its own: ``python run_driver.py FOLDER NUMBER FUNCTION``."""

import sys
from pathlib import Path

from small_tasks import drive, task


def main() -> None:
    """Run so many tasks in this process."""
    folder, number, call = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    tally = drive(folder, [task(k, call) for k in range(number)])
    sys.stdout.write(f"{tally.done} {tally.skipped} {tally.n_failed}\n")


if __name__ == "__main__":
    main()
