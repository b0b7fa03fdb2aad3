"""What is asked of Slurm, and answers that do not come."""

import os
from pathlib import Path

import pytest

from chandelle.compute import slurm
from chandelle.compute.profile import Profile


def test_a_command_that_does_not_answer_is_an_error_of_slurm(monkeypatch, tmp_path):
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\nexec sleep 30\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(slurm, "_TIMEOUT_S", 0.2)
    with pytest.raises(slurm.SlurmError, match=r"squeue: no answer in 0.2 s"):
        slurm.own_jobs()


@pytest.mark.parametrize(("minutes", "says"), [(0.4, 1), (1.2, 2), (480.0, 480)])
def test_a_job_has_at_least_a_minute(minutes, says):
    profile = Profile(kind="slurm", walltime_min=minutes, task_min=0.3)
    options = slurm.sbatch_options(profile, name="a", memory_gb=1.0, log="/run/%a.log")
    assert f"--time={says}" in options


def test_a_percent_in_the_name_of_a_folder_is_no_pattern():
    log = str(Path("/runs/50%done/%a.log"))
    options = slurm.sbatch_options(Profile(kind="slurm"), name="a", memory_gb=1.0, log=log)
    assert "--output=/runs/50%%done/%a.log" in options
