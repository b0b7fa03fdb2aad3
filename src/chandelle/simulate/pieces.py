"""A population as a graph of small functions, one a quantity, that a user replaces in three lines.

A piece is a function of one supernova. Its arguments say by their names which quantities it needs;
a keyword-only `key` gives it random numbers. Its own name is that of the quantity it draws.
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Integer, Key

from chandelle.core.errors import InputError
from chandelle.core.precision import require_x64
from chandelle.simulate.piece import (
    Piece,
    call_piece,
    describe_piece,
    inputs_of,
    near_name,
    outputs_of,
)

CHUNK = 2**15
"""Supernovae of one call of a compiled piece; fewer are padded to it."""


class Population(eqx.Module):
    """Pieces that draw a supernova, each quantity from those that its arguments name.

    A piece's random key is that of the supernova folded with the name of the piece, and each
    piece is a compiled program of its own. So a quantity depends on the supernova's key and on
    the pieces above it, bit for bit: not on other pieces, nor on how many are drawn at once.

    Parameters
    ----------
    **pieces : callable
        One a quantity, by its name; a piece decorated with `draws` may have any name.

    Attributes
    ----------
    pieces : dict of str to callable
        Parameters of pieces that are modules can be changed by `equinox.tree_at`.

    Examples
    --------
    A color of one's own, and a quantity that was not there:

    >>> from chandelle.core.rng import key_for
    >>> def c(x1, *, key):
    ...     return 0.02 * x1 + 0.1 * jax.random.normal(key)
    >>> population = Population(x1=lambda *, key: jax.random.normal(key))
    >>> mine = population.with_pieces(c=c, mb=lambda x1, c: 19.0 - 0.15 * x1 + 3.1 * c)
    >>> mine.quantities
    ('x1', 'c', 'mb')
    >>> drawn = mine.draw(supernova_keys(key_for(1, "example"), np.arange(3)))
    >>> drawn["mb"].shape
    (3,)
    """

    pieces: dict[str, Piece]

    def __init__(self, **pieces: Piece) -> None:
        self.pieces = pieces

    def with_pieces(self, **pieces: Piece) -> "Population":
        """Replace or add pieces; old pieces all of whose quantities a new one draws go.

        Parameters
        ----------
        **pieces : callable
            By name.

        Returns
        -------
        Population
            A new one.
        """
        new = {quantity for name, piece in pieces.items() for quantity in outputs_of(name, piece)}
        kept = {
            name: piece
            for name, piece in self.pieces.items()
            if name not in pieces and not new.issuperset(outputs_of(name, piece))
        }
        return Population(**kept, **pieces)

    def without(self, *names: str) -> "Population":
        """Leave pieces out.

        Parameters
        ----------
        *names : str
            Of pieces.

        Returns
        -------
        Population
            A new one.

        Raises
        ------
        InputError
            If there is no such piece.
        """
        for name in names:
            if name not in self.pieces:
                raise InputError(
                    f"no piece {name!r} in the population{near_name(name, self.pieces)}"
                )
        kept = {name: piece for name, piece in self.pieces.items() if name not in names}
        return Population(**kept)

    @property
    def quantities(self) -> tuple[str, ...]:
        """What the pieces draw, in an order in which they can be; it asks for a whole graph."""
        return tuple(q for name in self.order() for q in outputs_of(name, self.pieces[name]))

    def order(self, given: Mapping[str, Any] | None = None) -> list[str]:
        """Put the pieces in an order in which each comes after those it needs.

        Parameters
        ----------
        given : mapping, optional
            Quantities that need no piece; a piece all of whose quantities are given is left out.

        Returns
        -------
        list of str
            Names of pieces.

        Raises
        ------
        InputError
            If a quantity is missing or drawn twice, pieces need each other, or a piece is not
            one.
        """
        given = given or {}
        maker: dict[str, str] = {}
        for name, piece in sorted(self.pieces.items()):
            outputs = outputs_of(name, piece)
            for quantity in () if set(outputs) <= set(given) else outputs:
                if quantity in maker:
                    raise InputError(
                        f"pieces {maker[quantity]!r} and {name!r} both draw {quantity!r}; "
                        f"leave one out with .without({maker[quantity]!r})"
                    )
                maker[quantity] = name
        graph: dict[str, list[str]] = {}
        for name in maker.values():
            needed = [q for q in inputs_of(name, self.pieces[name])[0] if q not in given]
            for quantity in needed:
                if quantity not in maker:
                    known = sorted({*maker, *given})
                    raise InputError(
                        f"piece {name!r} takes {quantity!r}, which no piece draws"
                        f"{near_name(quantity, known)}; or add it with .with_pieces({quantity}=...)"
                    )
            graph[name] = [maker[quantity] for quantity in needed]
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            ring = " <- ".join(repr(name) for name in error.args[1])
            raise InputError(
                f"pieces need each other: {ring}; draw them together in one piece (see draws)"
            ) from error

    def sample(
        self, key: Key[Array, ""], given: Mapping[str, Any] | None = None
    ) -> dict[str, Array]:
        """Draw one supernova: a pure function, to be differentiated, mapped or compiled.

        Parameters
        ----------
        key : key
            Of the supernova.
        given : mapping of str to scalar, optional
            Quantities that are known.

        Returns
        -------
        dict of str to Array
            Scalars, without a check that they are finite.

        Raises
        ------
        InputError
            As `order`, or if a piece does not return scalars.
        """
        values = dict(given or {})
        for name in self.order(given):
            piece = self.pieces[name]
            args = [values[quantity] for quantity in inputs_of(name, piece)[0]]
            values |= call_piece(piece, name, key, args)
        return values

    def draw(
        self,
        keys: Key[Array, " sn"],
        *,
        given: Mapping[str, np.ndarray | Array] | None = None,
        chunk: int = CHUNK,
    ) -> dict[str, np.ndarray]:
        """Draw supernovae in chunks of one size, so that one program a piece serves any number.

        Parameters
        ----------
        keys : key, shape (sn,)
            One a supernova (see `supernova_keys`).
        given : mapping of str to Array of shape (sn,), optional
            Quantities that are known.
        chunk : int
            Supernovae of one call; of no consequence for the values.

        Returns
        -------
        dict of str to array, shape (sn,)
            All quantities, those given among them.

        Raises
        ------
        InputError
            As `order`; if a piece does not return scalars, or returns values that are not
            finite; if what is given has another length than the keys.
        """
        require_x64()
        order, n = self.order(given), keys.shape[0]
        values = {name: np.asarray(column) for name, column in (given or {}).items()}
        for name, column in values.items():
            if column.shape != (n,):
                raise InputError(f"given {name!r} must have shape ({n},), got {column.shape}")
        data = np.asarray(jax.random.key_data(keys))
        if n == 0:
            return values | {q: np.zeros(0) for s in order for q in outputs_of(s, self.pieces[s])}
        parts = []
        for start in range(0, n, chunk):
            rows = np.arange(start, start + chunk)
            rows[rows >= n] = start
            part = {name: column[rows] for name, column in values.items()}
            for name in order:
                piece = self.pieces[name]
                args = [part[quantity] for quantity in inputs_of(name, piece)[0]]
                new = jax.tree.map(np.asarray, _draw_piece(piece, name, data[rows], args))
                _check_finite(name, new, part, n - start)
                part |= new
            parts.append({name: column[: n - start] for name, column in part.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def describe(self) -> dict[str, dict[str, Any]]:
        """Say what each piece is and the values of its parameters, for a provenance.

        Returns
        -------
        dict of str to dict
            ``piece`` is the name of its class or function; tables of more than 16 values are
            left out.
        """
        return {name: describe_piece(piece) for name, piece in sorted(self.pieces.items())}


@eqx.filter_jit
def _draw_piece(
    piece: Piece, name: str, key_data: np.ndarray | Array, args: list[np.ndarray | Array]
) -> dict[str, Array]:
    """One piece for a chunk of supernovae."""
    keys = jax.random.wrap_key_data(jnp.asarray(key_data))
    return jax.vmap(lambda key, args: call_piece(piece, name, key, args))(keys, args)


@jax.jit
def _fold(root: Key[Array, ""], number: Integer[Array, " sn"]) -> Key[Array, " sn"]:
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(root, number)


def supernova_keys(
    root: Key[Array, ""], number: np.ndarray | Integer[Array, " sn"]
) -> Key[Array, " sn"]:
    """Give each supernova its key, by its number (that in its name).

    Parameters
    ----------
    root : key
        Of the survey.
    number : array of int, shape (sn,)
        Number of each supernova.

    Returns
    -------
    key, shape (sn,)
        The same for the same root and number, whatever else is drawn.

    Examples
    --------
    >>> root = jax.random.key(1)
    >>> few, many = supernova_keys(root, np.arange(2)), supernova_keys(root, np.arange(5))
    >>> bool((few == many[:2]).all())
    True
    """
    return _fold(root, jnp.asarray(number, dtype=jnp.uint32))


def _check_finite(
    name: str, new: Mapping[str, np.ndarray], inputs: Mapping[str, np.ndarray], n: int
) -> None:
    """Refuse values that are not finite among the first `n`; the rest is padding."""
    for quantity, value in new.items():
        is_bad = ~np.isfinite(value[:n])
        if is_bad.any():
            first = int(np.argmax(is_bad))
            where = ", ".join(f"{q}={column[first]:g}" for q, column in inputs.items())
            raise InputError(
                f"piece {name!r} returned {value[first]} for {quantity!r} "
                f"({int(is_bad.sum())} of {len(is_bad)}), first where {where or 'nothing is drawn'}"
            )
