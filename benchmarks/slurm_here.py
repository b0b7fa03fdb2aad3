"""The Slurm of this machine that the tests start, for benchmarks."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from local_slurm import slurm_site, why_not

__all__ = ["slurm_site", "why_not"]
