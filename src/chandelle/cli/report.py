"""``chandelle report``: one HTML page of a run."""

from pathlib import Path

from chandelle.cli.console import say, step


def report(directory: Path, /) -> None:
    """Write report/index.html from the products in a folder.

    Parameters
    ----------
    directory
        Folder with some of lightcurves/, saltfits/fits.parquet, diagram/, posterior/,
        truth.parquet and config.json.
    """
    from chandelle.report.page import write_report
    from chandelle.report.runs import load_run

    with step("report"):
        page = write_report(directory / "report" / "index.html", **load_run(directory))
    say(f"report: {page}")
