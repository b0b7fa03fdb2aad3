"""A scaling in words: what was measured, how it grows, what a whole survey will take."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from chandelle.compute.growth import N_LEAST, Interval
from chandelle.compute.scaling_size import Measurement

if TYPE_CHECKING:
    from chandelle.compute.profile import Profile
    from chandelle.compute.scaling_result import Cost, Projection, Scaling

    Place = tuple[str, Profile]

FAR = 30.0
"""Times the largest size beyond which a projection is told to be a guess."""
_TIMES = ((1e-3, 1e-6, "µs"), (1.0, 1e-3, "ms"), (100.0, 1.0, "s"), (6e3, 60.0, "min"))
_LONG_TIMES = ((2e5, 3600.0, "h"), (6.4e7, 86400.0, "d"), (math.inf, 3.15576e7, "yr"))
_SIZES = ((1.0, 1e-3, "MB"), (1e3, 1.0, "GB"), (1e6, 1e3, "TB"), (math.inf, 1e6, "PB"))
_NAMES: "Mapping[Cost, str]" = {"cpu_s": "CPU time", "wall_s": "wall time", "peak_gb": "memory"}
_FIRST_S = 0.5
_SEVERAL = 3.0
_SEEN = 0.05
_UNSETTLED = 0.2
_WAITS = 1.5
_COLUMNS = {"N": 10, "CPU": 11, "wall": 11, "first call": 12, "memory": 11}
_DATA_COLUMN = {"of it setup": 13}


def report_of(
    scaling: "Scaling",
    *,
    targets: Mapping[str, int],
    place: "Place | None" = None,
) -> str:
    """Write a scaling in words.

    Parameters
    ----------
    scaling : Scaling
        The measurements.
    targets : mapping of str to int
        Sizes to project to.
    place : tuple of str and Profile, optional
        As `place_of` gives it.

    Returns
    -------
    str
        Title, table, laws, projections, remarks.
    """
    has_setup = bool(scaling.setup)
    rows = [row_of(one, has_setup=has_setup) for one in scaling.measurements]
    table = [header_of(has_setup=has_setup), *rows]
    return "\n".join([title_of(scaling), "", *table, *outlook_of(scaling, targets, place)])


def place_of(profile: "str | Profile | None") -> "Place | None":
    """A batch system with its name.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    from chandelle.compute.profile import load_profile

    if profile is None:
        return None
    if isinstance(profile, str):
        return profile, load_profile(profile)
    return profile.partition or profile.kind, profile


def title_of(scaling: "Scaling") -> str:
    """What was measured, and where."""
    made = f" of {scaling.setup}" if scaling.setup else ""
    threads = "all threads" if scaling.threads is None else f"{scaling.threads} thread"
    threads += "s" if scaling.threads not in {None, 1} else ""
    machine = f"{scaling.n_cores} cores, {scaling.memory_gb:.3g} GB"
    return f"{scaling.function}{made}: {threads} on {scaling.host} ({machine})"


def header_of(*, has_setup: bool) -> str:
    """Names of the columns of `row_of`."""
    columns = _COLUMNS | (_DATA_COLUMN if has_setup else {})
    return "".join(name.rjust(width) for name, width in columns.items())


def row_of(one: Measurement, *, has_setup: bool) -> str:
    """One line of the table."""
    words = [str(one.n)]
    if one.is_measured:
        words += [seconds(one.cpu_s), seconds(one.wall_s), seconds(one.first_s)]
        words += [memory(one.peak_gb), *([memory(one.data_gb)] if has_setup else [])]
    widths = (*_COLUMNS.values(), *_DATA_COLUMN.values())
    line = "".join(word.rjust(width) for word, width in zip(words, widths, strict=False))
    return line if one.status == "ok" else f"{line}  {one.status}: {one.reason}"


def outlook_of(scaling: "Scaling", targets: Mapping[str, int], place: "Place | None") -> list[str]:
    """Lines on what grows and what it will come to; why there are none, with too few sizes."""
    if not scaling.has_laws:
        n = len(scaling.measured)
        return ["", f"no law: it takes {N_LEAST} sizes that were measured, there are {n}"]
    laws = [_grows(scaling, cost) for cost in _NAMES]
    projections = {name: scaling.project(n) for name, n in targets.items()}
    told = [f"- {remark}" for remark in remarks_of(scaling, projections, place)]
    return ["", *laws, *_projected(projections), *([""] if told else []), *told]


def _projected(projections: "Mapping[str, Projection]") -> list[str]:
    """The table of the targets."""
    if not projections:
        return []
    words = [
        (name, _grouped(one.n), span(one.cpu_s), span(one.wall_s), span(one.peak_gb, memory))
        for name, one in projections.items()
    ]
    rows = [("projected to", "N", "CPU time (68 %)", "wall time (68 %)", "memory (68 %)"), *words]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "   ".join(
            word.rjust(width) if i == 1 else word.ljust(width)
            for i, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return ["", *lines]


def _grows(scaling: "Scaling", cost: "Cost") -> str:
    """How a cost grows; small constants are not told."""
    law, words = scaling.law(cost), memory if cost == "peak_gb" else seconds
    base = min(one.base_gb for one in scaling.measured)
    imports = f" ({memory(base)} after the imports)" if cost == "peak_gb" else ""
    if not law.is_growing:
        return f"{_NAMES[cost]} does not grow up to N = {_grouped(law.n_max)}{imports}"
    power = f"p = {law.power.median:.2f} ± {max(law.power.err, 0.005):.2f}"
    constant, least = law.constant.median, law.predict(law.n_min).median
    beside = f", beside {words(constant)} at any size" if constant > _SEEN * least else ""
    return f"{_NAMES[cost]} grows as N^p, {power}{beside}{imports}"


def remarks_of(
    scaling: "Scaling",
    projections: "Mapping[str, Projection]",
    place: "Place | None",
) -> Iterator[str]:
    """What must be said beside the numbers."""
    yield from _on_first_calls(scaling)
    yield from _on_slopes(scaling)
    waits = max(one.wall_s / one.cpu_s for one in scaling.measured)
    if waits > _WAITS:
        yield (
            f"wall time is up to {waits:.1f} times CPU time: it waits for disk, for the network or "
            "for others on this machine"
        )
    largest = max(one.n for one in scaling.measured)
    far = {name: one.factor for name, one in projections.items() if one.factor > FAR}
    if far:
        factors = ", ".join(f"{name} is {factor:.0f} times" for name, factor in far.items())
        yield (
            f"{factors} the largest size measured, {_grouped(largest)}: what does not show yet may "
            "come to rule there; measure larger sizes"
        )
    if not scaling.law("peak_gb").is_growing and projections:
        yield "memory that does not grow yet may do so later; measure larger sizes"
    for name, one in projections.items():
        yield from _on_memory(name, one.peak_gb, scaling.memory_gb)
    if place is not None:
        yield from _on_jobs(scaling, projections, *place)


def _on_first_calls(scaling: "Scaling") -> Iterator[str]:
    extras = [one.first_s - one.cpu_s for one in scaling.measured]
    low, high = min(extras), max(extras)
    if high > _FIRST_S:
        between = seconds(high) if low > 0.5 * high else f"up to {seconds(high)}"
        yield f"the first call takes {between} more (compilation, imports, caches); not in the law"
    if scaling.cold_s > max(_FIRST_S, _SEVERAL * scaling.measured[0].first_s):
        yield f"the very first one took {seconds(scaling.cold_s)}: something was made and kept"
    if extras[-1] > max(_FIRST_S, _SEVERAL * extras[0]) and extras[-1] > scaling.measured[-1].cpu_s:
        yield (
            "what the first call takes more grows with N: if the function keeps its results, the "
            "later calls do not tell what they cost"
        )


def _on_slopes(scaling: "Scaling") -> Iterator[str]:
    """Where the two largest sizes alone say something else than the law of all."""
    former, last = scaling.measured[-2:]
    slope = math.log(last.cpu_s / former.cpu_s) / math.log(last.n / former.n)
    law = scaling.law("cpu_s")
    if law.is_growing and abs(slope - law.power.median) > _UNSETTLED:
        yield (
            f"between the two largest sizes CPU time grows as N^{slope:.2f}: the power is not "
            "settled; measure larger sizes"
        )


def _on_memory(name: str, peak: Interval, limit_gb: float) -> Iterator[str]:
    has = f"more than this machine has, {memory(limit_gb)}"
    if peak.median > limit_gb:
        yield f"{name}: {memory(peak.median)} of memory is {has}"
    elif peak.high95 > limit_gb:
        yield f"{name}: up to {memory(peak.high95)} of memory (95 %) would be {has}"


def _on_jobs(
    scaling: "Scaling", projections: "Mapping[str, Projection]", place: str, profile: "Profile"
) -> Iterator[str]:
    """What a job of a batch system holds, and how many of them the targets are."""
    classes, overhead = profile.memory_gb, profile.overhead_gb
    walltime_s = 60.0 * profile.walltime_min
    for name, one in projections.items():
        fitting = [size for size in classes if size - overhead >= one.peak_gb.high95]
        jobs, upper = (math.ceil(x / walltime_s) for x in (one.wall_s.median, one.wall_s.high95))
        memory_of_job = f"{fitting[0] if fitting else classes[-1]:g} GB"
        told = f"{_grouped(jobs)} {'job' if jobs == 1 else 'jobs'} of {seconds(walltime_s)}"
        told += f" and {memory_of_job}" if fitting else ""
        told += f" (95 %: {_grouped(upper)})" if upper > jobs else ""
        told += ", if it can be divided evenly" if upper > 1 else ""
        told += "" if fitting else f"; {memory_of_job}, its largest, do not hold it whole"
        yield f"{name} on {place}: {told}"
    upto = max((one.n for one in projections.values()), default=0)
    most = scaling.largest(upto, wall_s=walltime_s, peak_gb=classes[-1] - overhead)
    if most < upto:
        job = f"{seconds(walltime_s)} and {classes[-1]:g} GB"
        yield f"{place}: one job of {job} takes N = {_grouped(most)} at most (95 %)"


def seconds(value: float) -> str:
    """A time in a unit that suits it."""
    return _in_unit(value, (*_TIMES, *_LONG_TIMES))


def memory(value: float) -> str:
    """Gigabytes in a unit that suits them."""
    return _in_unit(value, _SIZES)


def span(interval: Interval, words: Callable[[float], str] = seconds) -> str:
    """A value and its 68 % interval, the unit once where it is the same."""
    low, high = words(interval.low), words(interval.high)
    if low.split()[1] == high.split()[1]:
        low = low.split()[0]
    return f"{words(interval.median)} ({low} to {high})"


def _in_unit(value: float, units: tuple[tuple[float, float, str], ...]) -> str:
    unit, name = next(
        (size, word) for limit, size, word in units if value < limit or limit == math.inf
    )
    number = value / unit
    return f"{number:.0f} {name}" if number >= 100 else f"{number:.3g} {name}"


def _grouped(n: int | float) -> str:
    return f"{n:,.0f}".replace(",", " ")
