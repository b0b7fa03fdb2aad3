"""``python -m chandelle``: the same as the command ``chandelle``."""

from chandelle.cli.main import main

main()
