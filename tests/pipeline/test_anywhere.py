"""One fit, every kind of place: the file is the same to the last bit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster
from local_slurm import slurm_site, why_not

import chandelle as ch
from chandelle.compute.ledger import Ledger
from chandelle.core.errors import InputError

SITE = {"memory_gb": [2.0, 3.0], "walltime_min": 10, "task_min": 5, "jobs": 2}


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Iterator[Path]:
    with slurm_site(tmp_path_factory.mktemp("slurm"), **SITE) as (path, _):
        yield path


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    """A scheduler of somebody else's, without encryption, with one worker."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, protocol="tcp://", dashboard_address="127.0.0.1:0"
    ) as made:
        yield made


def fitted(survey: Path, on: object) -> bytes:
    """Fits made there; all blocks of them, once each."""
    result = ch.run(survey, on=on, until="fit-lightcurves")
    assert [tally.done for tally in result.tallies.values()] == [1, 4, 1]
    receipts = list(Ledger(survey, "fit-lightcurves").receipts())
    assert sorted(receipt.key for receipt in receipts) == [f"{k:06d}" for k in range(4)]
    assert all(receipt.is_done for receipt in receipts)
    return (survey / "saltfits" / "fits.parquet").read_bytes()


def test_on_workers_of_this_machine(survey, expected):
    assert fitted(survey, "local:2") == expected


def test_on_a_scheduler_that_runs(survey, expected, cluster):
    assert fitted(survey, cluster.scheduler_address) == expected


def test_on_a_client_of_the_user(survey, expected, cluster):
    with Client(cluster, set_as_default=False) as client:
        assert fitted(survey, client) == expected
        assert client.submit(sum, [1, 2]).result() == 3


@pytest.mark.slurm
@pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is Slurm")
@pytest.mark.parametrize("kind", ["slurm", "slurm-array"])
def test_on_jobs(survey, expected, profile, kind):
    assert fitted(survey, f"{kind}:{profile}") == expected
    receipts = Ledger(survey, "fit-lightcurves").receipts()
    assert all(receipt.job for receipt in receipts)


def test_several_folders_as_tasks(drawn, tmp_path):
    whole = ch.LightCurves.read(drawn / "lightcurves")
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, rows in zip(folders, (slice(0, 13), slice(13, 20)), strict=True):
        whole.select_targets(list(range(20))[rows]).write(folder)
    plain, tasks = tmp_path / "plain.parquet", tmp_path / "tasks.parquet"
    how = {"size": 5, "derivatives": True}
    counts = ch.fit_salt_blocks(folders, plain, **how)
    assert ch.fit_salt_blocks(folders, tasks, on="serial", **how) == counts
    assert tasks.read_bytes() == plain.read_bytes()
    derived = ch.SaltFits.read(tasks).derivative("zp", band="ztfg")
    assert derived.shape == (20, 4)


def test_what_tasks_cannot_take_is_refused(drawn, tmp_path):
    lcs = drawn / "lightcurves"
    with pytest.raises(InputError, match="do not take a loaded model"):
        ch.fit_salt_blocks(
            lcs, tmp_path / "x.parquet", on="serial", model=ch.load_salt("salt3-f22")
        )
