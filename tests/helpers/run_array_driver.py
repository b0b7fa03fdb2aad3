"""A driver of an array of jobs in a process of its own, whose elements take several tasks each:
``python run_array_driver.py PROFILE FOLDER NUMBER ELEMENTS HOLD_S``.
"""

import sys
from pathlib import Path

from short_grace import open_engine
from small_tasks import drive, task

from chandelle.compute import slurm_array
from chandelle.compute.task import Task


def holding(number: int, hold_s: float) -> list[Task]:
    """Tasks that take their time, and write down each beginning once."""
    settings = {"take_gb": 0.01, "hold_s": hold_s}
    return [task(k, "greedy", memory_gb=0.4, settings=settings) for k in range(number)]


def main() -> None:
    """Run so many tasks by so many elements."""
    number, slurm_array._ELEMENTS = map(int, sys.argv[3:5])
    engine = open_engine(f"slurm-array:{sys.argv[1]}", Path(sys.argv[2]))
    try:
        drive(Path(sys.argv[2]), holding(number, float(sys.argv[5])), engine=engine)
    finally:
        engine.close()


if __name__ == "__main__":
    main()
