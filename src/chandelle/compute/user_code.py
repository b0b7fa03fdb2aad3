"""A user's function by its name: ``"my.py:func"`` or ``"package.module:func"``."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chandelle.compute.failures import told
from chandelle.core.errors import InputError


def load_function(name: str, *, argument: str) -> Callable[[Any], Any]:
    """Import a function that takes one argument.

    Parameters
    ----------
    name : str
        A file and what is in it, or a module and what is in it.
    argument : str
        What it will be called with, for the message.

    Returns
    -------
    callable
        The function.

    Raises
    ------
    InputError
        If there is no such file or function, its file fails, or it does not take one argument.
    """
    home, _, attribute = name.rpartition(":")
    if not home or not attribute:
        raise InputError(f"{name}: expected FILE.py:FUNCTION or PACKAGE.MODULE:FUNCTION")
    is_file = home.endswith(".py")
    function = _of_file(Path(home), attribute) if is_file else _of_module(home, attribute)
    check_call(function, name, argument=argument)
    return function


def check_call(function: Any, name: str, *, argument: str) -> None:
    """Raise unless an object can be called with one argument.

    Raises
    ------
    InputError
        With what it takes instead.
    """
    if not callable(function):
        raise InputError(f"{name}: expected a function, it is of type {type(function).__name__}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # Some of those written in C have none.
        return
    try:
        signature.bind(None)
    except TypeError:
        raise InputError(
            f"{name}: it is called with one argument, {argument}, but takes {signature}; give the "
            "others defaults"
        ) from None


def _of_file(path: Path, attribute: str) -> Any:
    """What a file defines; files beside it can be imported by it."""
    if not path.is_file():
        raise InputError(f"{path}: expected a Python file, found none")
    sys.path.insert(0, str(path.absolute().parent))
    module_name = path.stem if path.stem not in sys.modules else f"{path.stem}__user"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path}: expected a Python file, cannot read it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path}: cannot be imported, {told(error)}") from error
    if not hasattr(module, attribute):
        own = [name for name, value in vars(module).items() if _is_own(value, module_name)]
        there = ", ".join(own) or "none"
        raise InputError(f"{path}: no function {attribute} in it; functions there: {there}")
    return getattr(module, attribute)


def _of_module(home: str, attribute: str) -> Any:
    try:
        module = importlib.import_module(home)
    except Exception as error:
        raise InputError(f"{home}: cannot be imported, {told(error)}") from error
    if not hasattr(module, attribute):
        raise InputError(f"{home}: no function {attribute} in it")
    return getattr(module, attribute)


def _is_own(value: Any, module: str) -> bool:
    return inspect.isfunction(value) and value.__module__ == module
