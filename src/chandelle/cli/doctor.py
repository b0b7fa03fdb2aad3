"""``chandelle doctor``: is this installation able to work."""

from chandelle.cli.console import say


def doctor() -> int:
    """Check Python, libraries, precision, devices, shipped data and folders.

    Returns
    -------
    int
        0 if all is well, else 1.
    """
    from chandelle.cli.checks import run_checks

    checks = run_checks()
    width = max(len(check.name) for check in checks)
    for check in checks:
        say(f"{'ok  ' if check.is_ok else 'FAIL'} {check.name:{width}}  {check.detail}")
    failed = sum(not check.is_ok for check in checks)
    say(f"{failed} of {len(checks)} checks failed" if failed else "all is well")
    return int(failed > 0)
