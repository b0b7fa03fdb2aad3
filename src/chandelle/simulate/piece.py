"""One piece of a population: what it takes, what it draws, what it may return."""

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from chandelle.core.errors import InputError
from chandelle.core.rng import key_for

Piece = Callable[..., Any]
"""A function of one supernova whose arguments are named after quantities."""
_MOST_DESCRIBED = 16
_P = TypeVar("_P", bound=Piece)


def real(value: Any) -> Array:
    """Make a float64 array of a parameter: the converter of the fields of pieces."""
    return jnp.asarray(value, dtype=float)


def draws(*names: str) -> Callable[[_P], _P]:
    """Declare that a piece draws several quantities together, as a dict.

    Parameters
    ----------
    *names : str
        Keys of what the piece returns.

    Returns
    -------
    callable
        Decorator of a function or of a class of pieces.

    Examples
    --------
    >>> @draws("x1", "c")
    ... def shape(*, key):
    ...     x1, c = jax.random.normal(key, (2,))
    ...     return {"x1": x1, "c": 0.1 * c + 0.02 * x1}
    >>> outputs_of("shape", shape)
    ('x1', 'c')
    """

    def declare(piece: _P) -> _P:
        setattr(piece, "draws", names)  # noqa: B010 (a callable has no such attribute)
        return piece

    return declare


def call_piece(piece: Piece, name: str, key: Key[Array, ""], args: list) -> dict[str, Array]:
    """Call a piece for one supernova and check what comes back."""
    outputs, takes_key = outputs_of(name, piece), inputs_of(name, piece)[1]
    result = piece(*args, key=key_for(key, name)) if takes_key else piece(*args)
    if outputs == (name,) and not isinstance(result, dict):
        result = {name: result}
    if not isinstance(result, dict) or set(result) != set(outputs):
        found = sorted(result) if isinstance(result, dict) else type(result).__name__
        raise InputError(
            f"piece {name!r} must return a dict of {', '.join(outputs)}, got {found}; "
            "declare what it draws with @draws(...)"
        )
    scalars = {quantity: jnp.asarray(result[quantity]) for quantity in outputs}
    for quantity, value in scalars.items():
        if value.shape:
            raise InputError(
                f"piece {name!r} must return a scalar for {quantity!r}, got shape {value.shape}; "
                "write it for one supernova, it is mapped over all"
            )
    return scalars


def outputs_of(name: str, piece: Piece) -> tuple[str, ...]:
    """Quantities that a piece draws: what it declares, or the one it is named after."""
    return getattr(piece, "draws", (name,))


def inputs_of(name: str, piece: Any) -> tuple[tuple[str, ...], bool]:
    """Quantities that a piece takes, and whether it takes a key."""
    if not callable(piece):
        raise InputError(
            f"piece {name!r} must be callable, got {type(piece).__name__}; a constant is "
            f"lambda: {piece!r}"
        )
    parameters = inspect.signature(piece).parameters.values()
    inputs = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    unknown = [p.name for p in keywords if p.name != "key" and p.default is p.empty]
    is_open = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters)
    if unknown or is_open or "key" in inputs:
        raise InputError(
            f"piece {name!r} must name each quantity it takes and a keyword-only key, as in "
            f"(x1, *, key), got {inspect.signature(piece)}"
        )
    return tuple(inputs), any(p.name == "key" for p in keywords)


def near_name(name: str, known: Iterable[str]) -> str:
    """Say which known name is near one that is not known, for a message."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    guess = f", did you mean {near[0]!r}?" if near else ";"
    return f"{guess} known: {', '.join(names) or 'none'}"


def describe_piece(piece: Piece) -> dict[str, Any]:
    """Say what a piece is and the values of its parameters, for a provenance."""
    if not isinstance(piece, eqx.Module):
        return {"piece": getattr(piece, "__qualname__", type(piece).__name__)}
    facts: dict[str, Any] = {"piece": type(piece).__name__}
    for name, value in vars(piece).items():
        if eqx.is_array(value) and value.size <= _MOST_DESCRIBED:
            facts[name] = np.asarray(value).tolist()
        elif isinstance(value, str | int | float | tuple):
            facts[name] = value
    return facts


def uniform(key: Key[Array, ""]) -> Float[Array, ""]:
    """Draw a number in [0, 1)."""
    return jax.random.uniform(key, dtype=float)


def normal(key: Key[Array, ""]) -> Float[Array, ""]:
    """Draw a standard normal number."""
    return jax.random.normal(key, dtype=float)
