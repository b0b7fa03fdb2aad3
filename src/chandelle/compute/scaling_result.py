"""What a scaling found: the measurements, the laws, the projections; kept as JSON or Parquet."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from chandelle.compute.growth import N_LEAST, Interval, Law, fit_law
from chandelle.compute.scaling_size import Measurement
from chandelle.core.atomic import atomic_file
from chandelle.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from chandelle.compute.profile import Profile

TARGETS: Mapping[str, int] = {"ztf": 40_000, "lsst": 400_000}
"""Supernovae of the samples that a cost is projected to."""
KINDS = (".json", ".parquet")
"""Suffixes of the files that measurements are kept in."""
Cost = Literal["cpu_s", "wall_s", "peak_gb"]
_LEAST_ERR = 0.01
"""Relative error of a time, however well its repeats agree: no law is exact on a real machine."""
_MEMORY_ERR_GB = 0.0002
_MEMORY_ERR = 0.005
"""Memory by which equal processes differ, and the share of what comes after the imports."""
_MARGIN_GB = 0.001
"""Counted as if it came after the imports, so that relative errors stay finite without growth."""
_UNREPEATED_ERR = 0.05
"""Relative scatter of a time where no size has repeats to tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """What a size will cost, beyond those measured.

    Parameters
    ----------
    n : int
        The size.
    cpu_s, wall_s : Interval
        CPU and wall seconds of a call.
    peak_gb : Interval
        Largest memory of its process.
    factor : float
        How many times the largest size measured it is.
    """

    n: int
    cpu_s: Interval
    wall_s: Interval
    peak_gb: Interval
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """Cost and memory of a function, measured at several sizes.

    Parameters
    ----------
    function, setup : str
        Names of what was measured, and of what made its data, empty for none.
    threads : int, optional
        Threads that libraries could take; None if as they liked.
    host : str
        Where it was measured.
    n_cores : int
        Cores there.
    memory_gb : float
        Memory there.
    cold_s : float
        CPU seconds of a call in a process before all others, of the smallest size.
    measurements : tuple of Measurement
        One a size, rising.
    """

    function: str
    setup: str = ""
    threads: int | None = 1
    host: str
    n_cores: int
    memory_gb: float
    cold_s: float
    measurements: tuple[Measurement, ...]

    @property
    def measured(self) -> tuple[Measurement, ...]:
        """The sizes with a cost."""
        return tuple(one for one in self.measurements if one.is_measured)

    @property
    def has_laws(self) -> bool:
        """Whether enough sizes have a cost to tell how it grows."""
        return len(self.measured) >= N_LEAST

    @property
    def table(self) -> "pa.Table":
        """The measurements, one row a size: the columns of `Measurement`, and the medians."""
        import pyarrow as pa

        rows = [
            asdict(one) | {"cpu_s": one.cpu_s, "wall_s": one.wall_s} for one in self.measurements
        ]
        return pa.Table.from_pylist(rows)

    def to_pandas(self) -> "pd.DataFrame":
        """The measurements as a data frame."""
        return self.table.to_pandas()

    def law(self, cost: str) -> Law:
        """Fit how a cost grows.

        Parameters
        ----------
        cost : str
            ``"cpu_s"``, ``"wall_s"`` or ``"peak_gb"``.

        Returns
        -------
        Law
            With its uncertainty.

        Raises
        ------
        InputError
            If less than three sizes have it.
        """
        if cost not in {"cpu_s", "wall_s", "peak_gb"}:
            raise InputError(f"law of {cost}: expected cpu_s, wall_s or peak_gb")
        return _law(self.measured, cost)

    def project(self, n: int) -> Projection:
        """Say what a size will cost.

        Parameters
        ----------
        n : int
            The size, 40 000 for all supernovae of ZTF.

        Returns
        -------
        Projection
            With errors, those of the powers included.

        Raises
        ------
        InputError
            If less than three sizes were measured.
        """
        return Projection(
            n=n,
            cpu_s=self.law("cpu_s").predict(n),
            wall_s=self.law("wall_s").predict(n),
            peak_gb=self.law("peak_gb").predict(n),
            factor=n / max(one.n for one in self.measured),
        )

    def largest(
        self,
        upto: int,
        *,
        cpu_s: float = math.inf,
        wall_s: float = math.inf,
        peak_gb: float = math.inf,
    ) -> int:
        """Find the largest size whose costs stay below limits, with 97.5 % probability each.

        Parameters
        ----------
        upto : int
            Where to stop looking.
        cpu_s, wall_s, peak_gb : float
            The limits.

        Returns
        -------
        int
            To a percent; 0 if nothing stays below them.

        Raises
        ------
        InputError
            If less than three sizes were measured.
        """
        limits: dict[Cost, float] = {"cpu_s": cpu_s, "wall_s": wall_s, "peak_gb": peak_gb}

        def is_held(n: float) -> bool:
            return all(self.law(cost).predict(n).high95 <= most for cost, most in limits.items())

        low, high = 1.0, float(upto)
        if is_held(high):
            return upto
        if not is_held(low):
            return 0
        while high > 1.01 * low:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if is_held(middle) else (low, middle)
        return int(low)

    def report(
        self, *, targets: Mapping[str, int] | None = None, profile: "str | Profile | None" = None
    ) -> str:
        """Write it in words: the measurements, the laws, what the targets will take.

        Parameters
        ----------
        targets : mapping of str to int, optional
            Sizes to project to; ZTF and LSST if absent.
        profile : str or Profile, optional
            A batch system, to say how many of its jobs that is, and of which memory.

        Returns
        -------
        str
            Some lines.
        """
        from chandelle.compute.scaling_text import place_of, report_of

        wanted = TARGETS if targets is None else targets
        return report_of(self, targets=wanted, place=place_of(profile))

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        return self.report()

    def write(self, path: str | Path) -> None:
        """Write the measurements as JSON or Parquet, by the suffix.

        Raises
        ------
        InputError
            If it is neither.
        """
        kind = _kind_of(path)
        facts = {
            part.name: getattr(self, part.name)
            for part in fields(self)
            if part.name != "measurements"
        }
        with atomic_file(path) as temporary:
            if kind == ".json":
                rows = [asdict(one) for one in self.measurements]
                text = json.dumps({**facts, "measurements": rows}, indent=1)
                temporary.write_text(text, encoding="utf-8")
            else:
                import pyarrow.parquet as pq

                noted = self.table.replace_schema_metadata({_NOTE: json.dumps(facts)})
                pq.write_table(noted, temporary)

    @classmethod
    def read(cls, path: str | Path) -> "Scaling":
        """Read what `write` wrote.

        Raises
        ------
        InputError
            If it is something else.
        """
        kind = _kind_of(path)
        try:
            if kind == ".json":
                facts = json.loads(Path(path).read_text(encoding="utf-8"))
                rows = facts.pop("measurements")
            else:
                import pyarrow.parquet as pq

                table = pq.read_table(path)
                facts = json.loads((table.schema.metadata or {})[_NOTE.encode()])
                rows = table.drop_columns(["cpu_s", "wall_s"]).to_pylist()
            return cls(measurements=tuple(_row(row) for row in rows), **facts)
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}: expected measurements of chandelle, {error}") from error


@lru_cache(maxsize=64)
def _law(measured: tuple[Measurement, ...], cost: str) -> Law:
    n = np.array([one.n for one in measured], dtype=float)
    y = np.array([getattr(one, cost) for one in measured], dtype=float)
    if cost != "peak_gb":
        return fit_law(n, y, err=_time_errors(measured, cost))
    base = min(one.base_gb for one in measured) - _MARGIN_GB
    grown = np.maximum(y - base, _MARGIN_GB)
    err = np.hypot(_MEMORY_ERR, _MEMORY_ERR_GB / grown)
    return replace(fit_law(n, grown, err=err, may_be_pure=False), offset=base)


def _time_errors(measured: tuple[Measurement, ...], cost: str) -> np.ndarray:
    """Relative errors from the repeats, whose scatter is about the same for all sizes."""
    runs = [np.log(one.cpu_runs if cost == "cpu_s" else one.wall_runs) for one in measured]
    counts = np.array([len(one) for one in runs])
    free = counts.sum() - len(runs)
    squares = sum(np.sum((one - one.mean()) ** 2) for one in runs)
    scatter = math.sqrt(squares / free) if free else _UNREPEATED_ERR
    of_middle = np.where(counts > 2, math.pi / 2, 1.0) / counts
    return np.hypot(_LEAST_ERR, scatter * np.sqrt(of_middle))


_NOTE = "chandelle_scaling"


def _row(values: dict[str, Any]) -> Measurement:
    runs = {name: tuple(values[name]) for name in ("cpu_runs", "wall_runs")}
    return Measurement(**{**values, **runs})


def _kind_of(path: str | Path) -> str:
    kind = Path(path).suffix
    if kind not in KINDS:
        raise InputError(f"{path}: expected a name that ends in {' or '.join(KINDS)}")
    return kind
