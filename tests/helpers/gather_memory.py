"""Memory of gathering receipts: ``python gather_memory.py FOLDER STAGE SMALL``, a process.

Prints the bytes of all receipts held at once, and the peak of gathering them.
"""

import sys
import tracemalloc
from pathlib import Path

from chandelle.compute.ledger import Ledger


def main() -> None:
    """Gather the receipts of a stage; once before in small, so that imports do not count."""
    folder, stage, small = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    Ledger(small, stage).compact(beyond=0)
    ledger = Ledger(folder, stage)
    tracemalloc.start()
    whole = list(ledger.receipts())
    held = tracemalloc.get_traced_memory()[0]
    del whole
    tracemalloc.reset_peak()
    start = tracemalloc.get_traced_memory()[0]
    ledger.compact(beyond=0)
    sys.stdout.write(f"{held} {tracemalloc.get_traced_memory()[1] - start}\n")


if __name__ == "__main__":
    main()
