"""Scalings that were never measured, of a law that is known."""

from chandelle.compute.scaling_result import Scaling
from chandelle.compute.scaling_size import Measurement

SIZES = (100, 300, 1000, 3000)


def made_scaling(
    power: float = 1.0,
    *,
    seconds_at_100: float = 1.0,
    gb_at_100: float = 0.01,
    sizes: tuple[int, ...] = SIZES,
    first_s: float = 0.0,
    cold_s: float = 0.0,
    name: str = "my.py:func",
) -> Scaling:
    """Time and memory that grow with the same power, memory above 0.1 GB; repeats agree."""
    rows = []
    for n in sizes:
        growth = (n / 100) ** power
        cpu = seconds_at_100 * growth
        rows.append(
            Measurement(
                n=n,
                base_gb=0.1,
                data_gb=0.0,
                peak_gb=0.1 + gb_at_100 * growth,
                setup_s=0.0,
                first_s=first_s + cpu,
                cpu_runs=(0.99 * cpu, cpu, 1.01 * cpu),
                wall_runs=(1.1 * cpu, 1.2 * cpu, 1.1 * cpu),
                total_s=4 * cpu,
            )
        )
    return Scaling(
        function=name,
        host="here",
        n_cores=2,
        memory_gb=24.0,
        cold_s=cold_s,
        measurements=tuple(rows),
    )
