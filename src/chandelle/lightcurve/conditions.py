"""Conditions on SALT fits and their light curves, column-wise."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chandelle.core.errors import InputError
from chandelle.lightcurve.quality import DETECTION
from chandelle.lightcurve.quality_table import FittedEpochs, fit_quality
from chandelle.lightcurve.residuals import aligned, phase_window
from chandelle.products.lightcurves import LightCurves
from chandelle.products.saltfits import SaltFits


class Columns(Mapping[str, NDArray]):
    """What a cut may ask of all supernovae at once, each column made when first asked for.

    Those of the fits; chi2_per_ndof and p_value; and, where light curves were given, what
    `phase_coverage` counts over the epochs that were fitted (n_detections, n_bands_before, ...), or
    in a window of phases by ``q.within(-10, 40)["n_detections"]``.
    """

    def __init__(self, fits: SaltFits, lcs: LightCurves | None = None) -> None:
        self._fits = fits
        self._lcs = None if lcs is None else aligned(fits, lcs)
        self._epochs: FittedEpochs | None = None
        self._coverage: dict[tuple[float, float, float], dict[str, NDArray]] = {}
        self._quality = fit_quality(fits)

    def within(
        self, low: int | float, high: int | float, *, detection: int | float = DETECTION
    ) -> Mapping[str, NDArray]:
        """Counts over the epochs between two phases [rest-frame day], the ends included."""
        return self._covered(float(low), float(high), float(detection), closed=True)

    def _covered(
        self, low: float, high: float, detection: float, *, closed: bool
    ) -> dict[str, NDArray]:
        key = (low, high, detection)
        if key not in self._coverage:
            if self._lcs is None:
                raise InputError(
                    "a cut counts epochs: give lcs=, the light curves of the fits (--lightcurves)"
                )
            if self._epochs is None:
                self._epochs = FittedEpochs.of(self._fits, self._lcs)
            part = self._epochs.within(low, high, closed=closed)
            self._coverage[key] = part.coverage(len(self._fits), detection=detection)
        return self._coverage[key]

    def __getitem__(self, name: str) -> NDArray:
        if name in self._fits.table.column_names:
            return self._fits[name]
        if name in self._quality:
            return self._quality[name]
        if self._lcs is None:
            raise InputError(
                f"no column {name!r} in the fits; if it counts epochs, give lcs=, the light curves "
                "(--lightcurves)"
            )
        counts = self._covered(*phase_window(self._fits), DETECTION, closed=False)
        if name not in counts:
            raise InputError(f"no column {name!r}; columns: {', '.join(self)}")
        return counts[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._fits.table.column_names
        yield from self._quality
        if self._lcs is not None:
            yield from self._covered(*phase_window(self._fits), DETECTION, closed=False)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Cut:
    """One condition that a supernova must meet; cuts combine by ``&``, ``|`` and ``~``.

    Attributes
    ----------
    name : str
        Short; it stands in the cut flow and is the reason of those it removes.
    passes : callable
        Takes `Columns`, returns an array of bool, shape (sn,). A comparison with NaN is False: what
        is unknown does not pass.
    words : str
        What the condition says.
    """

    name: str
    passes: Callable[[Columns], NDArray[np.bool_]]
    words: str = ""

    def __and__(self, other: "Cut") -> "Cut":
        return Cut(
            f"{self.name} & {other.name}",
            lambda q: self.passes(q) & other.passes(q),
            f"{self.words or self.name}, and {other.words or other.name}",
        )

    def __or__(self, other: "Cut") -> "Cut":
        return Cut(
            f"{self.name} | {other.name}",
            lambda q: self.passes(q) | other.passes(q),
            f"{self.words or self.name}, or {other.words or other.name}",
        )

    def __invert__(self) -> "Cut":
        return Cut(f"not {self.name}", lambda q: ~self.passes(q), f"not: {self.words or self.name}")


def at_least(column: str, low: int | float) -> Cut:
    """Ask that a column is not below a value."""
    return Cut(column, lambda q: q[column] >= low, f"{column} >= {low:g}")


def at_most(column: str, high: int | float) -> Cut:
    """Ask that a column is not above a value."""
    return Cut(column, lambda q: q[column] <= high, f"{column} <= {high:g}")


def between(column: str, low: int | float, high: int | float) -> Cut:
    """Ask that a column lies between two values, the ends included."""
    words = f"{low:g} <= {column} <= {high:g}"
    return Cut(column, lambda q: (q[column] >= low) & (q[column] <= high), words)


def without_flags(flags: int, words: str = "") -> Cut:
    """Ask that none of these bits of `chandelle.core.flags` is set."""
    return Cut("flags", lambda q: (q["flags"] & int(flags)) == 0, words or f"flags & {flags} == 0")
