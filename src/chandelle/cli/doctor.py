"""``chandelle doctor``: is this installation able to work."""

from chandelle.cli.console import say


def doctor(*, on: str | None = None) -> int:
    """Check Python, libraries, precision, devices, shipped data, folders and where work can run.

    Parameters
    ----------
    on
        Also whether this place answers: slurm:PROFILE, slurm-array:PROFILE, or tcp:// and the
        address of a dask scheduler.

    Returns
    -------
    int
        0 if all is well, else 1.
    """
    from chandelle.cli.checks import run_checks

    checks = run_checks(on=on)
    width = max(len(check.name) for check in checks)
    for check in checks:
        say(f"{'ok  ' if check.is_ok else 'FAIL'} {check.name:{width}}  {check.detail}")
    failed = sum(not check.is_ok for check in checks)
    say(f"{failed} of {len(checks)} checks failed" if failed else "all is well")
    return int(failed > 0)
