"""The chain of a survey in a process of its own: ``python run_chain.py FOLDER PLACE``."""

import logging
import sys

import chandelle as ch


def main() -> None:
    """Run it as far as the fits."""
    logging.basicConfig(level=logging.WARNING)
    result = ch.run(sys.argv[1], on=sys.argv[2], until="fit-lightcurves")
    sys.stdout.write(f"{result.n_done}\n")


if __name__ == "__main__":
    main()
