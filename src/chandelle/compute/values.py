"""Values of a user's function in files: numbers, words, arrays, what is made of them; no pickle."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError

_ARRAY, _TUPLE, _NUMBER = "__array__", "__tuple__", "__float__"


def write_value(path: Path, value: object) -> None:
    """Write a value as an ``.npz`` file: its structure as JSON, its arrays beside it.

    Raises
    ------
    InputError
        If it is made of something else.
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_taken_apart(value, arrays))
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, structure=np.array(structure), **arrays)


def read_value(path: Path) -> Any:
    """Read what `write_value` wrote.

    Raises
    ------
    InputError
        If it is not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            structure = json.loads(str(file["structure"]))
            return _put_together(structure, file)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: expected a value that ch.map wrote, {error}") from error


def _taken_apart(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Structure of a value; its arrays go into `arrays`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if np.isfinite(value) else {_NUMBER: repr(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return {_TUPLE: [_taken_apart(part, arrays) for part in value]}
    if isinstance(value, list):
        return [_taken_apart(part, arrays) for part in value]
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _taken_apart(part, arrays) for name, part in value.items()}
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        if array.dtype != object:
            name = f"array_{len(arrays)}"
            arrays[name] = array
            return {_ARRAY: name}
    raise InputError(
        f"a result of {type(value).__name__} cannot be kept; return numbers, words, arrays, and "
        "lists, tuples or dictionaries of them, or write a file and return its name"
    )


def _put_together(structure: Any, file: Mapping[str, np.ndarray]) -> Any:
    if isinstance(structure, list):
        return [_put_together(part, file) for part in structure]
    if not isinstance(structure, dict):
        return structure
    if set(structure) == {_ARRAY}:
        return file[structure[_ARRAY]]
    if set(structure) == {_NUMBER}:
        return float(structure[_NUMBER])
    if set(structure) == {_TUPLE}:
        return tuple(_put_together(part, file) for part in structure[_TUPLE])
    return {name: _put_together(part, file) for name, part in structure.items()}
