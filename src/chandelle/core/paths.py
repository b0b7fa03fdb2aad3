"""Places on disk that are read and written: none twice, none both."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from chandelle.core.errors import InputError


def refuse_twice(paths: Sequence[str | Path]) -> None:
    """Raise if a file or folder is given twice, however it is spelled.

    Raises
    ------
    InputError
        With its name.
    """
    seen: dict[Path, str | Path] = {}
    for path in paths:
        place = Path(path).resolve()
        if place in seen:
            also = "" if str(seen[place]) == str(path) else f", also as {seen[place]}"
            raise InputError(f"{path} is given twice{also}; drop one")
        seen[place] = path


def refuse_to_replace(
    output: str | Path, inputs: Iterable[str | Path], *, use: str = "is read here"
) -> None:
    """Raise if writing `output` would replace what is read, or part of it.

    Parameters
    ----------
    output : str or Path
        File or folder to be written.
    inputs : iterable of str or Path
        Files and folders that are read.
    use : str
        What they are needed for, for the message.

    Raises
    ------
    InputError
        If the output is one of them, lies in one or holds one.
    """
    place = Path(output).resolve()
    for path in inputs:
        own = Path(path).resolve()
        if own == place:
            raise InputError(f"{output}: {use}; write elsewhere")
        if own in place.parents:
            raise InputError(f"{output}: lies in {path}, which {use}; write elsewhere")
        if place in own.parents:
            raise InputError(f"{output}: holds {path}, which {use}; write elsewhere")
