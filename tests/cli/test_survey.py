"""``run``, ``status``, ``retry``, ``verify``, ``explain`` as a user types them."""

import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from small_tasks import wait_until

import chandelle as ch


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    ch.simulate_lightcurves(seed=4, n={"ZTF": 5, "DEEP": 3}).write(folder)
    (folder / "survey.toml").write_text("[fit-lightcurves]\nblock = 4\n")
    return folder


def test_a_survey_by_the_shell(run, drawn):
    done = run("run", drawn, "--until", "fit-lightcurves", "--on", "serial")
    assert done.code == 0
    assert "fit-lightcurves      2 of 2 done" in done.out
    lines = done.err.splitlines()
    assert [line for line in lines if line.startswith("fit-lightcurves")][-1].startswith(
        "fit-lightcurves: 2 of 2"
    )
    assert sum(line.startswith("gather-fits: 1 of 1") for line in lines) == 1
    again = run("run", drawn, "--from", "fit-lightcurves", "--until", "fit-lightcurves")
    assert "0 tasks done now" in again.out
    status = run("status", drawn)
    assert status.code == 0
    assert status.out.splitlines()[2].split() == ["fit-lightcurves", "2", "2"]
    assert "waits for standardize" in status.out
    assert run("status", drawn, "--live").code == 0
    assert "nothing: it is done" in run("explain", drawn, "000001").out
    assert "0 outputs are not what was written" in run("verify", drawn).out

    fits = drawn / "saltfits" / "blocks" / "000000.parquet"
    content = fits.read_bytes()
    fits.write_bytes(content[:50])
    broken = run("verify", drawn)
    assert broken.code == 1
    assert f"{fits} has 50 bytes, its task wrote {len(content)}" in broken.err
    assert "--forget" in broken.err
    assert "the next run makes them again" in run("verify", drawn, "--forget").out
    again = run("retry", drawn, "gather-fits/all", "--until", "fit-lightcurves", "--on", "serial")
    assert again.code == 0
    assert "gather-fits: 1 to run again" in again.out
    assert fits.read_bytes() == content
    assert run("verify", drawn).code == 0


def test_retry_does_what_was_asked_and_nothing_else(run, tmp_path):
    folder = tmp_path / "survey"
    ch.simulate_lightcurves(seed=4, n={"ZTF": 3, "DEEP": 2}).write(folder)
    assert run("run", folder, "--until", "fit-lightcurves", "--on", "serial").code == 0
    receipts = sorted(folder.rglob("receipts/*/??/*.json"))
    nothing = run("retry", folder, "--failed", "--on", "serial")
    assert (nothing.code, nothing.out) == (0, "none failed\n")
    for names, message in (
        (("fit-lightcurves/000000", "nobody"), "no task nobody"),
        (("all",), "all may be arrange-lightcurves/all, gather-fits/all; say which"),
        (("gather-fits", "--on", "moon"), "expected one of serial"),
        (("gather-fits", "--until", "fits"), "no stage fits"),
    ):
        refused = run("retry", folder, *names)
        assert refused.code == 2
        assert message in refused.err
    (folder / "survey.toml").write_text("[standardize]\nmemory_gb = -1\n")
    assert run("retry", folder, "gather-fits").code == 2
    (folder / "survey.toml").unlink()
    assert sorted(folder.rglob("receipts/*/??/*.json")) == receipts
    again = run("retry", folder, "gather-fits", "--until", "fit-lightcurves", "--on", "serial")
    assert "gather-fits: 1 to run again" in again.out
    assert "1 tasks done now" in again.out
    assert "nothing: it is done" in run("explain", folder, "gather-fits").out


def test_retry_of_a_survey_begun_in_the_middle(run, drawn, tmp_path):
    folder = tmp_path / "survey"
    shutil.copytree(drawn / "lightcurves", folder / "lightcurves")
    ch.fit_salt_blocks(folder / "lightcurves", folder / "saltfits" / "fits.parquet")
    begun = ("--from", "standardize", "--until", "standardize", "--on", "serial")
    few = run("run", folder, *begun)
    assert "8 of 8 fits pass the cuts, 10 are needed" in few.err
    again = run("retry", folder, "standardize", *begun)
    assert "standardize: 1 to run again" in again.out
    assert "10 are needed" in again.err
    refused = run("retry", folder, "standardize", *begun[2:])
    assert "begin after fit-lightcurves" in refused.err
    assert "to run again" not in refused.out, "nothing is forgotten for a run that cannot be"


def test_a_place_is_looked_at_before_anything_runs(run, drawn):
    assert run("run", drawn, "--until", "fit-lightcurves", "--on", "serial").code == 0
    for place in ("moon", "local:none", "slurm:nowhere"):
        assert run("run", drawn, "--until", "fit-lightcurves", "--on", place).code == 2


@pytest.mark.parametrize(("place", "number"), [("serial", "SIGTERM"), ("local:2", "SIGHUP")])
def test_a_run_that_is_told_to_end_ends_in_order(tmp_path, place, number):
    if signal.getsignal(getattr(signal, number)) == signal.SIG_IGN:
        pytest.skip(f"these tests were begun with {number} ignored, and what they begin ignores it")
    folder = tmp_path / "survey"
    ch.simulate_lightcurves(seed=4, n={"ZTF": 30, "DEEP": 10}).write(folder)
    (folder / "survey.toml").write_text("[fit-lightcurves]\nblock = 4\n")
    command = [sys.executable, "-m", "chandelle", "run", str(folder), "--until", "fit-lightcurves"]
    with subprocess.Popen([*command, "--on", place], stderr=subprocess.PIPE, text=True) as told:
        receipts = folder / "receipts" / "fit-lightcurves"
        wait_until(lambda: list(receipts.glob("driver-*")), at_most_s=240.0)
        began = psutil.Process(told.pid).children(recursive=True)
        told.send_signal(getattr(signal, number))
        if number == "SIGHUP":  # as a terminal does that is closed
            time.sleep(0.1)
            told.send_signal(signal.SIGHUP)
        said = told.stderr.read()
    assert told.returncode == 128 + getattr(signal, number)
    assert "interrupted" in said
    assert bool(began) == (place != "serial")
    wait_until(lambda: not any(child.is_running() for child in began))
    assert not list(folder.rglob("driver-*"))
    done = subprocess.run([*command, "--on", "serial"], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert "fit-lightcurves      10 of 10 done" in done.stdout


def test_tasks_that_failed_are_told(run, tmp_path):
    folder = tmp_path / "survey"
    ch.simulate_lightcurves(seed=4, n={"ZTF": 4, "DEEP": 1}).write(folder)
    (folder / "lightcurves" / "epochs.parquet").write_bytes(b"PAR1 not really PAR1")
    failed = run("run", folder, "--on", "serial")
    assert failed.code == 1
    assert "arrange-lightcurves: 0 of 1 done, 1 failed (1 data)" in failed.err
    assert "chandelle explain" in failed.err
    status = run("status", folder)
    assert status.code == 1
    assert "1 data" in status.out
    again = run("retry", folder, "--failed", "--on", "serial")
    assert "arrange-lightcurves: 1 to run again" in again.out
    assert again.code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "{}", "--on", "moon"), "expected one of serial"),
        (("run", "{}", "--until", "fits"), "no stage fits"),
        (("retry", "{}"), "--failed"),
        (("retry", "{}", "nobody"), "no task nobody"),
        (("explain", "{}", "nobody"), "no task nobody"),
        (("status", "{}/nothing"), "found no folder"),
        (("verify", "{}/nothing"), "found no receipts"),
    ],
)
def test_wrong_usage(run, drawn, arguments, message):
    result = run(*(word.format(drawn) for word in arguments))
    assert result.code == 2
    assert message in result.err


def test_fit_lightcurves_as_tasks(run, drawn, tmp_path):
    plain, tasks = tmp_path / "plain.parquet", tmp_path / "tasks.parquet"
    lcs = drawn / "lightcurves"
    assert run("fit-lightcurves", lcs, "-o", plain, "--block", "3").code == 0
    result = run("fit-lightcurves", lcs, "-o", tasks, "--block", "3", "--on", "serial")
    assert result.code == 0
    assert "8 of 8 supernovae fitted" in result.out
    assert tasks.read_bytes() == plain.read_bytes()
    assert run("status", f"{tasks}.run").out.splitlines()[2].split() == [
        "fit-lightcurves",
        "3",
        "3",
    ]
    again = run("retry", f"{tasks}.run", "gather-fits/all")
    assert again.code == 0
    assert "gather-fits: 1 to run again\nnow give the command again" in again.out
    assert run("fit-lightcurves", lcs, "-o", tasks, "--block", "3", "--on", "serial").code == 0
    assert tasks.read_bytes() == plain.read_bytes()
    table = tmp_path / "lcs.csv"
    table.write_text("sn,mjd,band,flux,flux_err,z\na,59000,ztfg,1,1,0.05\n")
    refused = run("fit-lightcurves", table, "-o", plain, "--on", "serial")
    assert refused.code == 2
    assert "--on fits folders" in refused.err
