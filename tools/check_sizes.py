"""Refuse Python files of more than 400 lines: one subject a file."""

import sys
from pathlib import Path

LIMIT = 400


def main(names: list[str]) -> int:
    """Name the files above the limit; return how many."""
    long = [(name, len(Path(name).read_text().splitlines())) for name in names]
    long = [(name, lines) for name, lines in long if lines > LIMIT]
    for name, lines in long:
        sys.stderr.write(f"{name}: {lines} lines, at most {LIMIT}; split it by subject\n")
    return len(long)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
