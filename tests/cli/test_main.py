"""What a user meets first: help, version, wrong usage, exit codes, how long it takes."""

import logging
import resource
import subprocess
import sys
import threading

import numpy as np
import pytest

from chandelle.cli.main import main
from chandelle.core.errors import NotConvergedError
from chandelle.products.diagram import Diagram
from chandelle.products.posterior import Posterior

COMMANDS = (
    "demo",
    "simulate",
    "fit-lightcurves",
    "standardize",
    "cosmology",
    "report",
    "run",
    "status",
    "retry",
    "verify",
    "explain",
    "fetch",
    "doctor",
    "scaling",
)


def cpu_seconds(*command: str) -> float:
    """Least CPU time of three runs: the machine may be busy."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_help_takes_less_than_a_second():
    assert cpu_seconds("-m", "chandelle", "--help") < 1.0


def test_import_takes_less_than_half_a_second():
    assert cpu_seconds("-c", "import chandelle") < 0.5


@pytest.mark.parametrize("code", ["import chandelle", "import chandelle.cli.main"])
def test_jax_is_imported_late(code):
    check = f"{code}; import sys; sys.exit('jax' in sys.modules or 'pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_help_names_every_command(shell):
    result = shell("--help")
    assert result.code == 0
    for command in COMMANDS:
        assert command in result.out
    assert "--quiet" in result.out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_explains_every_option(run, command):
    result = run(command, "--help")
    assert result.code == 0
    for line in result.out.splitlines():
        if line.startswith("│") and "--" in line:
            assert len(line.strip("│ ").split("  ")) > 1, f"{line} is not explained"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("demo", "--nonsense"),
        ("demo", "--seed", "one"),
        ("standardize",),
        ("fit-lightcurves", "-o", "out.parquet"),
        ("cosmology", "a", "-o", "b", "--model"),
    ],
)
def test_wrong_usage(run, arguments):
    result = run(*arguments)
    assert result.code == 2
    assert "chandelle: " in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_errors_are_one_message_without_a_traceback(shell, tmp_path):
    result = shell("standardize", tmp_path / "none.parquet", "-o", tmp_path / "out")
    assert result.code == 2
    assert result.err.startswith("chandelle: ")
    assert "none.parquet" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_unknown_errors_keep_their_traceback(shell, tmp_path):
    (tmp_path / "in.parquet").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    code = (
        "import chandelle.cli.download as d; import chandelle.cli.main as m\n"
        "def broken(*a, **k): raise ZeroDivisionError('a bug')\n"
        "d.fetch_file = broken\n"
        f"m.main(['fetch', 'a', '--sha256', '0', '-o', '{tmp_path}/x'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a bug" in done.stderr


def test_a_folder_that_takes_no_files(run, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    arguments = ("fetch", tmp_path / "a", "--sha256", digest, "-o", tmp_path / "a" / "b")
    result = run(*arguments)
    assert result.code == 1
    assert result.err.startswith(f"chandelle: {tmp_path / 'a'}")
    assert "Traceback" not in result.err
    assert "Traceback" in run(*arguments, "--verbose").err


def test_the_log_is_left_as_it_was(run):
    logger = logging.getLogger("chandelle")
    before = (logger.level, list(logger.handlers))
    run("--version", "--verbose")
    assert (logger.level, list(logger.handlers)) == before


def test_version(run):
    from importlib.metadata import version

    assert run("--version").out.strip() == version("chandelle")


def diagram(origin, n=60):
    rng = np.random.default_rng(5)
    z = np.sort(rng.uniform(0.02, 1.0, n))
    mu = 5 * np.log10(z * (1 + 0.775 * z / 2)) + 43.2 + rng.normal(0, 0.1, n)
    return Diagram.from_arrays(z_hel=z, z_hd=z, mu=mu, cov=np.full(n, 0.01), origin=origin)


def test_real_data_stay_blind(run, tmp_path):
    diagram("real").write(tmp_path / "diagram")
    result = run("cosmology", tmp_path / "diagram", "-o", tmp_path / "posterior")
    assert result.code == 3
    assert "unblind" in result.err
    assert not (tmp_path / "posterior").exists()


def test_chains_that_did_not_converge(run, tmp_path, monkeypatch):
    import chandelle.cosmology.stage as stage

    stuck = Posterior(
        model="flat-lcdm",
        draws={"Om": np.linspace(0.2, 0.4, 20).reshape(2, 10)},
        best_fit={"Om": 0.3},
        chi2=60.0,
        n_data=60,
        ess={"Om": 3.0},
        r_hat={"Om": 1.7},
        status="not converged",
        reason="r_hat of Om is 1.7",
    )
    monkeypatch.setattr(stage, "fit_cosmology", lambda *_, **__: stuck)
    diagram("simulated").write(tmp_path / "diagram")
    result = run("cosmology", tmp_path / "diagram", "-o", tmp_path / "posterior")
    assert result.code == NotConvergedError.exit_code
    assert "not converged: r_hat of Om is 1.7" in result.err
    assert Posterior.read(tmp_path / "posterior").reason == stuck.reason


def test_quiet_and_verbose(run, tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    digest = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    arguments = ("fetch", tmp_path / "a", "--sha256", digest, "-o", tmp_path / "b")
    quiet = run("--quiet", *arguments)
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    plain = run(*arguments)
    assert plain.out
    assert plain.err == ""
    assert "of CPU" in run(*arguments, "--verbose").err
    failed = run("--quiet", "fetch", tmp_path / "z", "--sha256", digest, "-o", tmp_path / "b2")
    assert "no such file" in failed.err


def test_interrupted(run, monkeypatch, tmp_path):
    import chandelle.cli.download as download

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "fetch_file", interrupt)
    result = run("fetch", "a", "--sha256", "0", "-o", tmp_path / "x")
    assert result.code == 130
    assert "interrupted" in result.err
    assert "Traceback" not in result.err


def test_a_command_runs_in_a_thread_too():
    codes = []

    def call():
        try:
            main(["--version"])
        except SystemExit as stop:
            codes.append(stop.code)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert codes == [0]
