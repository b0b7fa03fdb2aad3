"""The chain of a survey: what is missing or stale runs, the rest does not, nothing is lost."""

import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import chandelle as ch
from chandelle.compute.ledger import Ledger
from chandelle.compute.steps import TasksFailedError
from chandelle.core.errors import BlindedError, InputError
from chandelle.pipeline.run import forget
from chandelle.pipeline.survey import Survey
from chandelle.products.lightcurves import LightCurves

FITS = "saltfits/fits.parquet"


def settings(survey, text):
    (survey / "survey.toml").write_text(text)


def fit(survey, **how):
    return ch.run(survey, on="serial", until="fit-lightcurves", **how)


def test_the_fits_are_those_of_one_process(survey, expected):
    result = fit(survey)
    assert [tally.done for tally in result.tallies.values()] == [1, 4, 1]
    assert (survey / FITS).read_bytes() == expected
    again = fit(survey)
    assert again.n_done == 0
    assert "4 of 4 done, 4 of them before" in repr(again)


def test_each_step_is_planned_once(survey, monkeypatch):
    planned, stages = [], Survey.stages

    def counted(step, plan):
        return lambda home, config: planned.append(step) or plan(home, config)

    def watched(self, **which):
        return [
            replace(stage, steps={step: counted(step, plan) for step, plan in stage.steps.items()})
            for stage in stages(self, **which)
        ]

    monkeypatch.setattr(Survey, "stages", watched)
    assert fit(survey).facts["gather-fits"]["supernovae"] == 20
    assert planned == ["arrange-lightcurves", "fit-lightcurves", "gather-fits"]


def test_the_whole_chain(tmp_path):
    settings(tmp_path, "[simulate]\nn = { ZTF = 40, DEEP = 30 }\n[cosmology]\nn_draws = 300\n")
    assert ch.run(tmp_path, on="serial").n_done == 13
    posterior = ch.Posterior.read(tmp_path / "posterior")
    assert posterior.n_data > 50
    assert "Om" in (tmp_path / "report" / "index.html").read_text()
    assert len(ch.Diagram.read(tmp_path / "diagram")) == posterior.n_data
    settings(tmp_path, "[simulate]\nn = { ZTF = 40, DEEP = 30 }\n[cosmology]\nn_draws = 310\n")
    assert {k: v.done for k, v in ch.run(tmp_path, on="serial").tallies.items() if v.done} == {
        "cosmology": 1,
        "report": 1,
    }


def test_settings_changed_and_changed_back_leave_the_answer_of_the_last(survey, expected):
    fit(survey)
    settings(survey, "[fit-lightcurves]\nblock = 6\nc_max = 0.05\n")
    assert fit(survey).n_done == 5
    other = (survey / FITS).read_bytes()
    assert other != expected
    settings(survey, "[fit-lightcurves]\nblock = 6\n")
    assert fit(survey).n_done == 5
    assert (survey / FITS).read_bytes() == expected
    ids = [receipt.id for receipt in Ledger(survey, "fit-lightcurves").receipts()]
    assert len(ids) == 4


def test_what_a_task_is_given_is_no_part_of_its_name(survey, expected):
    ch.run(survey, on="serial", until="fit-lightcurves")
    text = (survey / "survey.toml").read_text()
    (survey / "survey.toml").write_text(text + "memory_gb = 6\nisolated = true\n")
    assert ch.run(survey, on="serial", until="fit-lightcurves").n_done == 0
    found = Survey(survey)
    [stage] = found.stages(start="fit-lightcurves", until="fit-lightcurves")
    plan = stage.steps["fit-lightcurves"](found.home, found.config(stage))
    given = found.resources(stage).give(plan)
    assert [task.id for task in given] == [task.id for task in plan]
    assert {(task.memory_gb, task.is_isolated) for task in given} == {(6.0, True)}
    (survey / "saltfits" / "blocks" / "000001.parquet").unlink()
    assert ch.run(survey, on="serial", until="fit-lightcurves").n_done == 1
    assert (survey / "saltfits" / "fits.parquet").read_bytes() == expected
    for line, message in (
        ("memory_gb = -1", r"survey.toml \[fit-lightcurves\]: memory_gb: .* greater than 0"),
        ("memory_gb = inf", "memory_gb: .* finite number"),
        ("isolated = 1", "isolated: .* valid boolean"),
    ):
        (survey / "survey.toml").write_text(f"[fit-lightcurves]\n{line}\n")
        with pytest.raises(InputError, match=message):
            ch.run(survey, on="serial", until="fit-lightcurves")


def test_what_was_deleted_is_made_again(survey, expected):
    fit(survey)
    (survey / FITS).unlink()
    (survey / "saltfits" / "blocks" / "000001.parquet").unlink()
    assert fit(survey).n_done == 2
    assert (survey / FITS).read_bytes() == expected


def test_changed_light_curves_are_fitted_again(survey, expected):
    fit(survey)
    lcs = LightCurves.read(survey / "lightcurves")
    brighter = pa.array(1.1 * lcs["flux"])
    at = lcs.table.column_names.index("flux")
    replace(lcs, table=lcs.table.set_column(at, "flux", brighter)).write(survey / "lightcurves")
    assert fit(survey).n_done == 6
    assert (survey / FITS).read_bytes() != expected


def test_a_block_that_fails_stops_the_chain_but_not_the_others(survey, break_block, monkeypatch):
    break_block(2)
    with pytest.raises(TasksFailedError, match=r"3 of 4 done, 1 failed \(1 data\).*darkness"):
        ch.run(survey, on="serial")
    assert not (survey / FITS).exists()
    assert not (survey / "diagram").exists()
    with pytest.raises(TasksFailedError, match="000002"):
        fit(survey)
    monkeypatch.undo()
    assert forget(survey, failed=True) == {"fit-lightcurves": 1}
    assert fit(survey).tallies["fit-lightcurves"].done == 1


def test_supernovae_of_a_failed_block_can_stand_among_the_fits(survey, expected, break_block):
    break_block(1)
    settings(survey, "[fit-lightcurves]\nblock = 6\nmark_failed = true\n")
    fit(survey)
    found = ch.SaltFits.read(survey / FITS)
    status = found["status"].astype(str)
    assert len(found) == 20
    assert (status[6:12] == "task_failed").all()
    assert np.isnan(found["x1"][6:12]).all()
    assert found.meta.provenance["status"]["task_failed"] == 6
    whole = pq.read_table(pa.BufferReader(expected))
    ok = np.flatnonzero(status != "task_failed")
    assert found.table.take(ok).equals(whole.take(ok).cast(found.table.schema))


def test_a_block_cut_off_under_its_receipt_is_not_gathered(survey):
    fit(survey)
    path = survey / "saltfits" / "blocks" / "000003.parquet"
    path.write_bytes(path.read_bytes()[:-10])
    (survey / FITS).unlink()
    with pytest.raises(TasksFailedError, match=r"000003.parquet: is not what its task wrote"):
        fit(survey)


def test_epochs_in_order_of_time_are_put_in_order(survey, expected):
    lcs = LightCurves.read(survey / "lightcurves")
    order = np.argsort(lcs["mjd"], kind="stable")
    lcs.select(order).write(survey / "lightcurves")
    fit(survey)
    assert (survey / "saltfits" / "arranged" / "set-0" / "epochs.parquet").is_file()
    found = ch.SaltFits.read(survey / FITS)
    alone = ch.fit_salt(LightCurves.read(survey / "lightcurves"))
    assert found.table.equals(alone.table)
    settings(survey, "[fit-lightcurves]\nblock = 7\n")
    fit(survey)
    assert ch.SaltFits.read(survey / FITS).table.equals(alone.table)


def test_real_data_stay_blinded(survey):
    lcs = LightCurves.read(survey / "lightcurves")
    replace(lcs, meta=replace(lcs.meta, origin="real")).write(survey / "lightcurves")
    with pytest.raises(BlindedError):
        ch.run(survey, on="serial")
    assert (survey / "diagram").is_dir()
    assert not (survey / "posterior").exists()
    settings(survey, "[fit-lightcurves]\nblock = 6\n[cosmology]\nunblind = true\nn_draws = 100\n")
    ch.run(survey, on="serial", until="cosmology")
    assert (survey / "posterior").is_dir()


def test_products_that_no_run_has_made_stay(survey):
    settings(survey, "[simulate]\nn = { ZTF = 3 }\n")
    before = (survey / "lightcurves" / "epochs.parquet").read_bytes()
    with pytest.raises(InputError, match=r"lightcurves: is there, and no run has made it"):
        fit(survey)
    assert (survey / "lightcurves" / "epochs.parquet").read_bytes() == before
    settings(survey, "[fit-lightcurves]\nblock = 6\n")
    (survey / "saltfits").mkdir()
    (survey / FITS).write_text("mine")
    with pytest.raises(InputError, match="begin after fit-lightcurves"):
        fit(survey)
    assert (survey / FITS).read_text() == "mine"
    assert fit(survey, replace=True).n_done == 6
    assert fit(survey).n_done == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fit-lightcurve]\n", r"fit-lightcurve: expected tables of settings, \[simulate-frames\]"),
        ("[fit-lightcurves]\nblocking = 3\n", r"survey.toml \[fit-lightcurves\]: blocking"),
        ("block = 3\n", "block: expected tables of settings"),
        ("[fit-", "expected TOML"),
    ],
)
def test_settings_that_are_wrong(survey, text, message):
    settings(survey, text)
    with pytest.raises(InputError, match=message):
        fit(survey)


def test_where_there_is_nothing_to_run(tmp_path):
    with pytest.raises(InputError, match="found no folder"):
        ch.run(tmp_path / "none", on="serial")
    with pytest.raises(InputError, match="nothing to begin from"):
        ch.run(tmp_path, on="serial")


def test_stages_that_are_not(survey):
    with pytest.raises(InputError, match="no stage fits; there are simulate-frames, simulate"):
        ch.run(survey, on="serial", until="fits")
    with pytest.raises(InputError, match="does not come after"):
        ch.run(survey, on="serial", start="cosmology", until="standardize")
    with pytest.raises(InputError, match=r"no table \[simulate\]"):
        ch.run(survey, on="serial", start="simulate")
    with pytest.raises(TasksFailedError, match=r"standardize: .*fits.parquet is not there"):
        ch.run(survey, on="serial", start="standardize")


def test_a_survey_may_be_moved(survey, expected):
    ch.run(survey, on="serial", until="fit-lightcurves")
    moved = survey.with_name("moved")
    shutil.move(survey, moved)
    (moved / "saltfits" / "blocks" / "000000.parquet").unlink()
    assert fit(moved).tallies["fit-lightcurves"].done == 1
    assert (moved / FITS).read_bytes() == expected
