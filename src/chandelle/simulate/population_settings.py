"""A population from its settings: standard pieces, some of them replaced or with other numbers."""

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, fields

import equinox as eqx

from chandelle.core.errors import InputError
from chandelle.simulate import brightness, environment, salt_parameters, sightline
from chandelle.simulate.contaminants import with_contaminants
from chandelle.simulate.piece import Piece, near_name, real
from chandelle.simulate.pieces import Population
from chandelle.simulate.settings import PopulationSettings
from chandelle.simulate.supernovae import supernova_population


def _has_defaults(piece: type) -> bool:
    """Whether a piece can be made without an argument."""
    return all(
        one.default is not MISSING or one.default_factory is not MISSING for one in fields(piece)
    )


_MODULES = (brightness, environment, salt_parameters, sightline)
PIECES: Mapping[str, type] = {
    name: piece
    for module in _MODULES
    for name, piece in vars(module).items()
    if inspect.isclass(piece) and piece.__module__ == module.__name__ and _has_defaults(piece)
}
"""Classes of pieces that settings can put into a population."""


def population_of(settings: PopulationSettings) -> Population:
    """Make a population from its settings.

    Raises
    ------
    InputError
        If a piece, its class or a parameter is unknown.
    """
    population = supernova_population(
        chromatic=settings.chromatic, outlier_fraction=settings.outlier_fraction
    )
    changed = {
        name: _piece(name, dict(values), population) for name, values in settings.pieces.items()
    }
    population = population.with_pieces(**changed)
    if not settings.contaminant_fraction:
        return population
    return with_contaminants(
        population, fraction=settings.contaminant_fraction, classes=tuple(settings.templates)
    )


def _piece(name: str, values: dict[str, float | str], population: Population) -> Piece:
    """A piece of a class with parameters, or that of the population with others."""
    kind = values.pop("piece", None)
    if kind is None and name not in population.pieces:
        raise InputError(f"pieces.{name}: no such piece{near_name(name, population.pieces)}")
    if kind is not None and kind not in PIECES:
        raise InputError(f"pieces.{name}: no class {kind}{near_name(str(kind), PIECES)}")
    base = population.pieces[name] if kind is None else PIECES[str(kind)]()
    known = set(vars(base)) if hasattr(base, "__dataclass_fields__") else set()
    for key, value in values.items():
        if key not in known or isinstance(value, str):
            raise InputError(
                f"pieces.{name}.{key} = {value!r}: no such number{near_name(key, known)}"
            )
        if "sigma" in key and value < 0:
            raise InputError(f"pieces.{name}.{key} = {value!r}: a width must be >= 0")
    numbers = [real(value) for value in values.values()]
    return eqx.tree_at(lambda piece: [getattr(piece, key) for key in values], base, numbers)
