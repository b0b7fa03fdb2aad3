"""How far a run is, what came of a task, and whether its outputs still are what it wrote."""

import shutil

import pytest

import chandelle as ch
from chandelle.compute.beacon import Beacon
from chandelle.compute.ledger import Ledger
from chandelle.compute.steps import TasksFailedError
from chandelle.compute.tally import Tally
from chandelle.core.errors import InputError
from chandelle.pipeline.explain import explain
from chandelle.pipeline.status import status_of
from chandelle.pipeline.verify import verify


@pytest.fixture(scope="module")
def finished(drawn, tmp_path_factory):
    """A survey whose light curves are fitted; not to be changed."""
    folder = tmp_path_factory.mktemp("finished") / "survey"
    shutil.copytree(drawn, folder)
    (folder / "survey.toml").write_text("[fit-lightcurves]\nblock = 6\n")
    ch.run(folder, on="serial", until="fit-lightcurves")
    return folder


@pytest.fixture
def survey(finished, tmp_path):
    folder = tmp_path / "survey"
    shutil.copytree(finished, folder)
    return folder


def by_step(folder):
    return {one.step: one for one in status_of(folder)}


def test_status_of_a_run(survey):
    found = by_step(survey)
    assert list(found)[:3] == ["arrange-lightcurves", "fit-lightcurves", "gather-fits"]
    fits = found["fit-lightcurves"]
    assert (fits.total, fits.done, fits.left, fits.is_complete) == (4, 4, 0, True)
    assert (found["standardize"].total, found["standardize"].done) == (1, 0)
    assert found["cosmology"].waits == "waits for standardize"


def test_status_tells_stale_failed_and_blinded(survey, break_block):
    break_block(3)
    (survey / "survey.toml").write_text("[fit-lightcurves]\nblock = 6\nc_max = 0.5\n")
    assert (by_step(survey)["fit-lightcurves"].stale, by_step(survey)["gather-fits"].waits) == (
        4,
        "waits for fit-lightcurves",
    )
    with pytest.raises(TasksFailedError):
        ch.run(survey, on="serial")
    fits = by_step(survey)["fit-lightcurves"]
    assert (fits.done, fits.failed, fits.left, fits.stale) == (3, {"data": 1}, 0, 0)


def test_status_shows_a_driver_at_work(survey):
    tally = Tally(total=4, running=2)
    with Beacon(Ledger(survey, "fit-lightcurves").folder, tally) as beacon:
        tally.done = 3
        beacon._finished[0] = (beacon._finished[0][0] - 10.0, 0)
        beacon._show()
        fits = by_step(survey)["fit-lightcurves"]
        assert (fits.running, len(fits.drivers)) == (2, 1)
        assert fits.rate == pytest.approx(0.3, rel=0.1)
    assert by_step(survey)["fit-lightcurves"].drivers == ()


def test_status_of_a_folder_of_map(tmp_path):
    ch.map(abs, [-1, -2], on="serial", folder=tmp_path, name="absolute")
    [found] = status_of(tmp_path)
    assert (found.step, found.total, found.done) == ("absolute", 2, 2)
    assert verify(tmp_path).n_tasks == 2
    assert "nothing: it is done" in explain(
        tmp_path, next(Ledger(tmp_path, found.step).receipts()).key
    )
    with pytest.raises(InputError, match="nothing to begin from"):
        status_of(tmp_path / "results")


@pytest.mark.parametrize("look", [status_of, lambda folder: explain(folder, "000002")])
def test_settings_that_are_wrong_are_told_and_not_passed_over(survey, look):
    (survey / "survey.toml").write_text("[fit-light")
    with pytest.raises(InputError, match=r"survey.toml: expected TOML"):
        look(survey)


def test_explain(survey, break_block):
    done = explain(survey, "fit-lightcurves/000002")
    assert "fit-lightcurves 000002" in done
    assert "next     nothing: it is done" in done
    assert "saltfits/blocks/000002.parquet" in done
    receipt = next(Ledger(survey, "gather-fits").receipts())
    assert explain(survey, receipt.id[:8]).startswith("gather-fits all")
    assert "has not run with the inputs" in explain(survey, "standardize/all")
    (survey / "saltfits" / "fits.parquet").rename(survey / "kept.parquet")
    assert "the next run makes what is gone again" in explain(survey, "gather-fits/all")
    (survey / "kept.parquet").rename(survey / "saltfits" / "fits.parquet")
    with pytest.raises(InputError, match="no task 000009"):
        explain(survey, "000009")
    (survey / "survey.toml").write_text("[fit-lightcurves]\nblock = 6\nr_v = 2.9\n")
    stale = explain(survey, "000002")
    assert "stale: fit.r_v was 3.1, is 2.9" in stale
    assert "has not run with the inputs, settings and code of now" in stale
    old = next(r for r in Ledger(survey, "fit-lightcurves").receipts() if r.key == "000002")
    assert "stale: fit.r_v was 3.1, is 2.9" in explain(survey, old.id[:12])
    assert "not known yet: waits for fit-lightcurves" in explain(survey, "gather-fits/all")
    break_block(2)
    with pytest.raises(TasksFailedError):
        ch.run(survey, on="serial")
    failed = explain(survey, "000002")
    assert "because  its data or settings are unusable" in failed
    assert "found darkness" in failed
    assert f"chandelle retry {survey} fit-lightcurves/000002" in failed


def test_explain_a_block_that_is_no_more(survey):
    old = next(r for r in Ledger(survey, "fit-lightcurves").receipts() if r.key == "000002")
    (survey / "survey.toml").write_text("[fit-lightcurves]\nblock = 60\n")
    ch.run(survey, on="serial", until="fit-lightcurves")
    assert "stale: fit-lightcurves has no task 000002 any more" in explain(survey, old.id)


def damage(survey):
    """Cut one output off, change a byte of another, remove a third."""
    blocks = survey / "saltfits" / "blocks"
    cut, changed, gone = (blocks / f"{k:06d}.parquet" for k in range(3))
    cut.write_bytes(cut.read_bytes()[:-4])
    content = bytearray(changed.read_bytes())
    content[100] ^= 1
    changed.write_bytes(content)
    gone.unlink()


def test_verify_finds_what_is_not_as_it_was_written(survey, expected):
    assert (verify(survey).n_tasks, verify(survey).broken) == (6, ())
    damage(survey)
    verdict = verify(survey)
    found = {one.key: one.found for one in verdict.broken}
    assert set(found) == {"000000", "000001", "000002"}
    assert "bytes, its task wrote" in found["000000"]
    assert "another content" in found["000001"]
    assert found["000002"] == "is gone"
    assert by_step(survey)["fit-lightcurves"].done == 3
    assert verify(survey, forget=True).broken == verdict.broken
    assert by_step(survey)["fit-lightcurves"].done == 1
    ch.run(survey, on="serial", until="fit-lightcurves")
    assert verify(survey).broken == ()
    assert (survey / "saltfits" / "fits.parquet").read_bytes() == expected


def test_verify_needs_a_run(tmp_path):
    with pytest.raises(InputError, match="no receipts"):
        verify(tmp_path)
