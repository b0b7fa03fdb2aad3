"""What tells a user's function from its other versions: its code, and the values that it holds.

Read as a worker would get it: compiled code, defaults, what it holds of the functions around it,
the object of a method, and all that these are made of, as pickling takes objects apart.
"""

import copyreg
import dis
import enum
import hashlib
import importlib.metadata
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, cached_property
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

from chandelle.core.errors import InputError

_PLAIN = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
_OF_CLASSES = (MethodDescriptorType, WrapperDescriptorType, GetSetDescriptorType)
_OWN = "chandelle"


def fingerprint(function: Any) -> str:
    """Hash a function with all that it holds: another for another answer.

    Seen are the compiled code, defaults, variables of functions around it, the object of a method
    or of a callable class with its classes, arguments of `functools.partial`, functions that it
    wraps; and of the global names that its code reads: numbers, words, tuples of them, functions
    and classes. Functions of installed packages count by their name and the version of the package.
    Global lists, dictionaries, arrays and other objects, what is reached by the name of a module,
    and files are not seen.

    Parameters
    ----------
    function : callable
        Any.

    Returns
    -------
    str
        SHA-256, hexadecimal; the same in every process of one version of Python.

    Raises
    ------
    InputError
        If it holds something whose content cannot be told, an open file for example.
    """
    reader = _Reader()
    try:
        reader.add(function)
    except _UnknownError as error:
        raise InputError(
            f"{getattr(function, '__qualname__', type(function).__qualname__)} cannot be told from "
            f"other versions of itself: it holds {error}; give version=, a word of yours that "
            "changes whenever its answers do"
        ) from error
    return reader.digest()


class _UnknownError(Exception):
    """Something whose content cannot be told; says what."""


class _Reader:
    """Takes things apart into one hash."""

    def __init__(self, numbers: dict[int, int] | None = None) -> None:
        self._hash = hashlib.sha256()
        self._numbers = {} if numbers is None else numbers
        """Functions and classes that were read, in order: each is read once."""
        self._open: list[Any] = []
        """What is being read: where it holds itself, reading ends."""
        self._kept: list[Any] = []
        """Keeps what was made on the way, so that no other thing gets its address."""

    def digest(self) -> str:
        """Hash of all that was added."""
        return self._hash.hexdigest()

    def _say(self, *words: object) -> None:
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode("utf-8", "surrogatepass")
            self._hash.update(len(data).to_bytes(8, "little"))
            self._hash.update(data)

    def add(self, value: Any) -> None:
        """Add anything."""
        if type(value) in _PLAIN:
            self._say(type(value).__name__, value if type(value) is bytes else repr(value))
            return
        for depth, outer in enumerate(reversed(self._open)):
            if outer is value:
                self._say("itself", depth)
                return
        if len(self._open) > 100:
            raise _UnknownError("things in things more than a hundred deep")
        self._open.append(value)
        self._kept.append(value)
        try:
            self._take_apart(value)
        finally:
            self._open.pop()

    def _take_apart(self, value: Any) -> None:
        if isinstance(value, CodeType):
            self._add_code(value)
        elif isinstance(value, FunctionType):
            self._add_once(value, self._add_function)
        elif isinstance(value, type):
            self._add_once(value, self._add_class)
        elif isinstance(value, ModuleType):
            self._say("module", value.__name__, _version_of(value.__name__))
        elif isinstance(value, MethodType):
            self._say("method")
            self.add(value.__func__)
            self.add(value.__self__)
        elif isinstance(value, BuiltinFunctionType | MethodWrapperType):
            self._say("builtin", value.__qualname__)
            owner = value.__self__
            self.add(owner.__name__ if isinstance(owner, ModuleType) else owner)
        elif isinstance(value, _OF_CLASSES):
            self._say("builtin", value.__objclass__.__module__, value.__qualname__)
        elif type(value) in (list, tuple, dict, set, frozenset):
            self._add_container(value)
        elif isinstance(value, np.ndarray | np.generic) or _is_jax_array(value):
            self._add_array(value)
        else:
            self._add_object(value)

    def _add_once(self, value: Any, how: Any) -> None:
        """Add a function or a class; at a further time only which one it was."""
        number = self._numbers.setdefault(id(value), len(self._numbers))
        if number < len(self._numbers) - 1:
            self._say("again", number)
        else:
            how(value)

    def _add_container(self, value: Any) -> None:
        self._say(type(value).__name__, len(value))
        if isinstance(value, dict):
            for key in sorted(value, key=self._apart):
                self.add(key)
                with _said_of(repr(key)):
                    self.add(value[key])
        elif isinstance(value, set | frozenset):
            for part in sorted(value, key=self._apart):
                self.add(part)
        else:
            for part in value:
                self.add(part)

    def _apart(self, value: Any) -> str:
        """Hash of a thing by itself, to put in order what has none; it counts nothing as seen."""
        reader = _Reader(dict(self._numbers))
        reader.add(value)
        self._kept += reader._kept
        return reader.digest()

    def _add_array(self, value: Any) -> None:
        if type(value) not in (np.ndarray, np.memmap) and not isinstance(value, np.generic):
            if isinstance(value, np.ndarray):
                return self._add_object(value)
            try:
                value = np.asarray(value)
            except TypeError as error:
                raise _UnknownError(_told(value, error)) from error
        self._say("array", value.dtype.descr if value.dtype.names else value.dtype.str, value.shape)
        if value.dtype.hasobject:
            return self.add(value.tolist())
        self._hash.update(hashlib.sha256(np.ascontiguousarray(value).tobytes()).digest())
        return None

    def _add_code(self, code: CodeType) -> None:
        taken = code.co_argcount + code.co_kwonlyargcount
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self._say("code", code.co_code, code.co_exceptiontable, counts)
        self._say(code.co_names, code.co_varnames[:taken])
        for const in code.co_consts:
            self.add(const)

    def _add_function(self, function: FunctionType) -> None:
        if _is_installed(function):
            self._say("installed", *_name_of(function))
            return self._add_code(function.__code__)
        self._add_code(function.__code__)
        with _said_of("a default"):
            self.add(function.__defaults__)
            self.add(function.__kwdefaults__)
        names = function.__code__.co_freevars
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            self._say(name)
            with suppress(ValueError):  # Nothing is in it yet.
                content = cell.cell_contents
                with _said_of(name):
                    self.add(content)
        for name in sorted(_reads(function.__code__)):
            if name in function.__globals__:
                with _said_of(name):
                    self._add_global(name, function.__globals__[name])
        return None

    def _add_global(self, name: str, value: Any) -> None:
        """Add what a global name stands for, if it is simple or somebody's own code."""
        wrapped = _wrapped_in(value)
        if _is_simple(value) or isinstance(value, ModuleType):
            self._say(name)
            self.add(value)
        elif isinstance(value, FunctionType | type):
            self._say(name)
            self.add(value) if not _is_installed(value) else self._say(*_name_of(value))
        elif wrapped is not None and not _is_installed(wrapped):
            self._say(name, *_name_of(type(value)))
            self.add(wrapped)

    def _add_class(self, kind: type) -> None:
        self._say("class", *_name_of(kind))
        if _is_installed(kind):
            return
        for base in kind.__bases__:
            self.add(base)
        if issubclass(kind, enum.Enum):
            self.add([(name, member.value) for name, member in kind.__members__.items()])
        for name in sorted(vars(kind)):
            member = _member(kind, name)
            if isinstance(member, FunctionType) or (_is_simple(member) and name[:2] != "__"):
                self._say(name)
                self.add(member)

    def _add_object(self, value: Any) -> None:
        """Add an object by what pickling would write; one written in C by what it wraps."""
        kind = type(value)
        wrapped = _wrapped_in(value)
        in_python = isinstance(getattr(kind, "__call__", None), FunctionType)  # noqa: B004
        if wrapped is not None and not in_python:
            self._say(*_name_of(kind))
            return self.add(wrapped)
        try:
            reduce = copyreg.dispatch_table.get(kind)
            parts: Any = reduce(value) if reduce else value.__reduce_ex__(2)
            if isinstance(parts, str):
                return self._add_name(value, parts)
            make, arguments, state, items, pairs = (*parts, None, None, None)[:5]
            contents = [list(items or ()), dict(pairs or ())]
        except _UnknownError:
            raise
        except Exception as error:
            raise _UnknownError(_told(value, error)) from error
        if isinstance(state, dict):
            state = {name: part for name, part in state.items() if not _is_cached(kind, name)}
        self._say("object")
        return self.add([make, arguments, state, contents])

    def _add_name(self, value: Any, name: str) -> None:
        """Add an object that pickling knows by its name alone, if it has that name somewhere."""
        home = getattr(value, "__module__", None)
        homes = [sys.modules.get(home)] if home else list(sys.modules.values())
        if not any(_part_of(module, name) is value for module in homes):
            raise _UnknownError(_told(value, "its name leads to no such thing"))
        self._say("name", *_name_of(type(value)), home, name)


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """Say in which variable a thing was that cannot be told."""
    try:
        yield
    except _UnknownError as error:
        text = str(error)
        raise _UnknownError(text if " as " in text else f"{text} as {name}") from error


def _told(value: Any, error: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__} ({error})"


def _reads(code: CodeType) -> set[str]:
    """Global names that code reads and does not set."""
    found, own = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            found.add(step.argval)
        elif step.opname in {"STORE_GLOBAL", "STORE_NAME"}:
            own.add(step.argval)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            found |= _reads(const)
    return found - own


def _is_simple(value: Any) -> bool:
    """Whether a value is a number, a word, or a tuple of them."""
    if type(value) is tuple:
        return all(map(_is_simple, value))
    return type(value) in _PLAIN or isinstance(value, np.generic)


def _is_jax_array(value: Any) -> bool:
    home = type(value).__module__.partition(".")[0]
    return home in {"jax", "jaxlib"} and hasattr(value, "__array__") and hasattr(value, "dtype")


def _wrapped_in(value: Any) -> FunctionType | None:
    """Return the function that an object says it wraps."""
    with suppress(Exception):
        wrapped = value.__wrapped__
        return wrapped if isinstance(wrapped, FunctionType) else None
    return None


def _is_cached(kind: type, name: object) -> bool:
    return isinstance(name, str) and isinstance(getattr(kind, name, None), cached_property)


def _member(kind: type, name: str) -> Any:
    """What a class has under a name: its function, where there is one behind it."""
    member = vars(kind)[name]
    if isinstance(member, staticmethod | classmethod):
        return member.__func__
    if isinstance(member, property):
        return member.fget
    if isinstance(member, cached_property):
        return member.func
    with suppress(Exception):
        return getattr(kind, name)
    return None


def _name_of(thing: Any) -> tuple[str, str, str]:
    """Module, name in it, and version of the package."""
    module = thing.__module__ or ""
    return module, thing.__qualname__, _version_of(module)


def _is_installed(thing: Any) -> bool:
    """Whether a function or a class is that of an installed package under its name."""
    if not _is_module_installed(thing.__module__ or ""):
        return False
    return _part_of(sys.modules.get(thing.__module__), thing.__qualname__) is thing


def _part_of(module: ModuleType | None, name: str) -> Any:
    """What a module has under a name with dots, or None."""
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


@cache
def _is_module_installed(name: str) -> bool:
    """Whether a module belongs to Python or an installed package, and is not a user's file."""
    if name.partition(".")[0] == _OWN or name in sys.builtin_module_names:
        return True
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return False
    places = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib")}
    return (
        "site-packages" in file or "dist-packages" in file or bool(places & {*Path(file).parents})
    )


@cache
def _version_of(module: str) -> str:
    """Version of the package that a module belongs to, where it has one."""
    try:
        return importlib.metadata.version(module.partition(".")[0])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return ""
