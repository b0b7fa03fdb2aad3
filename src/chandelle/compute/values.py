"""Values of a user's function: numbers, words, arrays, what is made of them; no pickle.

They come back as they were. JSON holds their structure, and what it has no word for as a mapping
with one key: ``__tuple__``, ``__float__`` (not finite), ``__path__``, ``__dict__`` (pairs, where
keys are not words, or one of these); arrays and numpy's numbers stand beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError

_ARRAY, _NUMPY, _TUPLE, _NUMBER = "__array__", "__numpy__", "__tuple__", "__float__"
_PATH, _PAIRS = "__path__", "__dict__"
_WORDS = {_ARRAY, _NUMPY, _TUPLE, _NUMBER, _PATH, _PAIRS}
_DTYPES = "biufcSUmM"
_MENDS = {
    "DataFrame": "return {name: table[name].to_numpy() for name in table}, or write a file",
    "Series": "return its to_numpy()",
    "Quantity": "return its to_value(UNIT)",
    "MaskedArray": "return (values.filled(), values.mask)",
    "MaskedConstant": "return nan",
    "OrderedDict": "return dict(values)",
    "defaultdict": "return dict(values)",
}
_KEPT = (
    "numbers, words, arrays, and lists, tuples or dictionaries of them, or write a file and return "
    "its name"
)
_Arrays = dict[str, np.ndarray]


def write_value(path: Path, value: object) -> None:
    """Write a value as an ``.npz`` file: its structure as JSON, its arrays beside it.

    It comes back as it was; arrays of jax come back as those of numpy.

    Raises
    ------
    InputError
        If it is made of something else, which would not come back as it was.
    """
    arrays: _Arrays = {}
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
        with path.open("rb") as whole, np.load(whole, allow_pickle=False) as file:
            structure = json.loads(str(file["structure"]))
            return _put_together(structure, file)
    except Exception as error:  # One that was cut or changed raises anything.
        raise InputError(f"{path}: expected a value that ch.map wrote, {error}") from error


def form_of(item: object) -> Any:
    """Form in which JSON holds an item, for `item_of`; numbers of numpy become those of Python.

    Raises
    ------
    InputError
        If it does not.
    """
    try:
        return _taken_apart(item, None)
    except RecursionError as error:
        raise InputError("an item holds itself; give numbers, words, lists of them") from error


def item_of(form: Any) -> Any:
    """Item as it was before `form_of`."""
    return _put_together(form, {})


def _taken_apart(value: Any, arrays: _Arrays | None) -> Any:
    """Structure of a value; its arrays go into `arrays`, without which it has none."""
    if isinstance(value, np.generic):
        if arrays is not None:
            return {_NUMPY: _of_numpy(value, arrays)}
        value = value.item()
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if np.isfinite(value) else {_NUMBER: repr(value)}
    if kind is type(Path()):
        return {_PATH: str(value)}
    if kind is tuple:
        return {_TUPLE: [_taken_apart(part, arrays) for part in value]}
    if kind is list:
        return [_taken_apart(part, arrays) for part in value]
    if kind is dict:
        if all(type(name) is str for name in value) and not _WORDS & set(value):
            return {name: _taken_apart(part, arrays) for name, part in value.items()}
        pairs = value.items()
        return {_PAIRS: [[_taken_apart(part, arrays) for part in pair] for pair in pairs]}
    if arrays is not None and (kind is np.ndarray or _is_jax(kind)):
        return {_ARRAY: _kept(value, arrays)}
    raise _refusal(value, is_item=arrays is None)


def _of_numpy(value: np.generic, arrays: _Arrays) -> Any:
    """Kind and value of a number of numpy; the name of an array of it where JSON cannot hold it."""
    if value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        return [value.dtype.name, _taken_apart(value.item(), None)]
    return _kept(value, arrays)


def _kept(value: Any, arrays: _Arrays) -> str:
    """Name of an array beside the structure."""
    is_table = bool(getattr(value.dtype, "names", None)) and not value.dtype.hasobject
    if getattr(value.dtype, "kind", "") not in _DTYPES and not is_table:
        raise InputError(f"a result of numpy's {value.dtype} cannot be kept; return {_KEPT}")
    name = f"array_{len(arrays)}"
    arrays[name] = np.asarray(value)
    return name


def _is_jax(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in {"jax", "jaxlib"} and hasattr(kind, "__array__")


def _refusal(value: Any, *, is_item: bool) -> InputError:
    kind = type(value).__name__
    if is_item:
        return InputError(
            f"an item of {kind} cannot be written down; give numbers, words, lists, tuples or "
            "dictionaries of them: the name of a file rather than its content"
        )
    return InputError(f"a result of {kind} cannot be kept; {_MENDS.get(kind, f'return {_KEPT}')}")


def _put_together(structure: Any, file: Mapping[str, np.ndarray]) -> Any:
    if isinstance(structure, list):
        return [_put_together(part, file) for part in structure]
    if not isinstance(structure, dict):
        return structure
    if len(structure) != 1 or not _WORDS & set(structure):
        return {name: _put_together(part, file) for name, part in structure.items()}
    [(word, held)] = structure.items()
    if word == _ARRAY:
        return file[held]
    if word == _NUMPY and isinstance(held, str):
        return file[held][()]
    if word == _NUMPY:
        return np.dtype(held[0]).type(_put_together(held[1], file))
    if word == _NUMBER:
        return float(held)
    if word == _PATH:
        return Path(held)
    parts = [_put_together(part, file) for part in held]
    return tuple(parts) if word == _TUPLE else dict(parts)
