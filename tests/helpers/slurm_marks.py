"""What a module of tests on a real Slurm is marked with."""

import pytest
from local_slurm import why_not

ON_SLURM = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is Slurm"),
]
