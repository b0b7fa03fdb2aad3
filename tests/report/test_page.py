"""The page as a file: what it says, what it leaves out, and that it asks for nothing."""

import dataclasses
import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest

from chandelle.core.errors import InputError
from chandelle.report import load_run, write_report
from chandelle.report.cutflow import cut_flow, rejected_epochs
from chandelle.report.truths import true_parameters


class Reader(HTMLParser):
    """Collects the text of each section, and every address that a browser would load."""

    void = frozenset({"meta", "link", "img", "input", "br", "option"})

    def __init__(self):
        super().__init__()
        self.sections, self.loads, self.tags, self.open = {}, [], [], []
        self.section = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.loads += [attributes[name] for name in ("src", "href", "data") if attributes.get(name)]
        if tag == "section":
            self.section = attributes["id"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "section":
            self.section = None

    def handle_data(self, data):
        if self.section and self.open[-1] != "script":
            self.sections[self.section] = self.sections.get(self.section, "") + data


def read(path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page(run, drawing, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_report(path, **run.arguments(), title="A <drawn> run", model_curve=drawing.bell)
    return path


def test_page_loads_nothing(page):
    reader = read(page)
    assert reader.loads
    outside = [url for url in reader.loads if not url.startswith(("data:", "#"))]
    assert outside == []
    text = page.read_text(encoding="utf-8")
    outside_scripts = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://|@import|url\(", outside_scripts)
    policies = [a["content"] for _, a in reader.tags if a.get("http-equiv")]
    assert [policy.startswith("default-src 'none';") for policy in policies] == [True]


def test_page_has_every_section(page, run):
    sections = read(page).sections
    assert set(sections) == {
        *("headline", "diagram", "corner-plot", "sample", "cuts", "worst", "truth", "making")
    }
    assert "not shown" not in "".join(sections.values())
    assert "uniform(0, 1)" in sections["headline"]
    summary = run.posterior.summary()
    assert f"{summary.loc['Om', 'mean']:.4f}" in sections["headline"]
    assert "flat-wcdm: Om = 0.302, w = -1.010" in sections["diagram"]
    assert "cut on x1" in sections["cuts"]
    assert "flux_err <= 0" in sections["cuts"]
    assert "surveys.ZTF.n" in sections["making"]
    assert "jaxlib" in sections["making"]


def test_worst_fits_come_first_and_can_be_clicked(page, run):
    ok = run.fits.select(run.fits.is_ok)
    worst = ok["sn"][np.argsort(-ok["chi2"] / ok["ndof"])]
    buttons = [a["data-sn"] for tag, a in read(page).tags if tag == "button"]
    assert buttons[:15] == worst[:15].tolist()


def test_names_are_escaped(page, drawing):
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "A &lt;drawn&gt; run" in text
    options = [a["value"] for tag, a in read(page).tags if tag == "option"]
    assert drawing.hostile in options


def test_truth_table_gives_pulls(page, run):
    use = run.fits.is_ok
    true = run.truth["x1_true"].to_numpy()
    pull = ((run.fits["x1"] - true) / run.fits["x1_err"])[use]
    assert f"{pull.mean():.3f} ± {1 / np.sqrt(use.sum()):.3f}" in read(page).sections["truth"]


def test_absent_products_are_named(run, drawing, tmp_path):
    whole = run.arguments()
    for given, missing in (
        ({"posterior"}, ["diagram=", "lightcurves=", "fits="]),
        ({"diagram"}, ["posterior=", "lightcurves=", "fits=", "config="]),
        ({"fits"}, ["posterior=", "diagram=", "lightcurves="]),
        ({"lightcurves"}, ["posterior=", "diagram=", "fits="]),
        ({"lightcurves", "fits"}, ["posterior=", "diagram="]),
    ):
        some = {name: whole[name] for name in given}
        path = write_report(tmp_path / "index.html", **some, model_curve=drawing.bell)
        text = " ".join(read(path).sections.values())
        for argument in missing:
            assert argument in text, (given, argument)
    with pytest.raises(InputError, match="give one of"):
        write_report(tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_chains_that_did_not_converge_give_no_numbers(run, drawing, tmp_path):
    bad = drawing.posterior(10, rng=np.random.default_rng(1), status="not converged")
    path = write_report(tmp_path / "index.html", diagram=run.diagram, posterior=bad)
    sections = read(path).sections
    assert "not converged" in sections["headline"]
    assert "r-hat of Om is 1.3" in sections["headline"]
    assert f"{bad['Om'].mean():.4f}" not in sections["headline"]
    assert "(not a fit)" in sections["diagram"]
    assert "No corner plot" in sections["corner-plot"]


def test_few_light_curves_can_be_embedded(run, drawing, tmp_path):
    path = write_report(
        tmp_path / "index.html",
        **run.arguments(),
        model_curve=drawing.bell,
        max_lightcurves=20,
    )
    reader = read(path)
    assert len([tag for tag, _ in reader.tags if tag == "option"]) <= 20
    assert "of 60 targets have their light curve here" in reader.sections["diagram"]


def test_run_folder_round_trip(run, tmp_path):
    with pytest.raises(InputError, match="expected a run"):
        load_run(tmp_path)
    run.lightcurves.write(tmp_path / "lightcurves")
    run.fits.write(tmp_path / "saltfits" / "fits.parquet")
    run.diagram.write(tmp_path / "diagram")
    run.posterior.write(tmp_path / "posterior")
    pq.write_table(run.truth, tmp_path / "truth.parquet")
    (tmp_path / "config.json").write_text(json.dumps(run.config))
    loaded = load_run(tmp_path)
    path = write_report(tmp_path / "report" / "index.html", **loaded)  # the real SALT model
    text = " ".join(read(path).sections.values())
    assert "not shown" not in text
    assert path == tmp_path / "report" / "index.html"
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(InputError, match="expected a table of settings"):
        load_run(tmp_path)


def test_cut_flow_adds_up(run):
    steps = cut_flow(run.lightcurves, run.fits, run.diagram)
    assert steps[0].left == 60
    assert steps[-1].left == len(run.diagram)
    assert 60 - sum(step.lost for step in steps) == len(run.diagram)
    for before, after in pairwise(steps):
        assert after.left == before.left - after.lost
    reasons = {(step.step, step.reason): step.lost for step in steps}
    assert reasons["ingest", "no usable epoch"] == 3
    assert reasons["SALT fit", "too few epochs"] == 4
    alone = cut_flow(None, None, run.diagram)
    assert [(step.reason, step.left) for step in alone] == [("in the diagram", len(run.diagram))]


def test_reasons_of_another_run_are_not_believed(run):
    record = {"standardization": {"rejected": {"x1": 500}}}
    meta = dataclasses.replace(run.diagram.meta, provenance=record)
    other = dataclasses.replace(run.diagram, meta=meta)
    steps = cut_flow(None, run.fits, other)
    lost = int(run.fits.is_ok.sum()) - len(other)
    assert [(s.reason, s.lost) for s in steps if s.step == "standardization"] == [
        ("not in the diagram", lost)
    ]


def test_rejected_epochs_are_counted(run):
    assert rejected_epochs(run.lightcurves) == [("not finite", 4, 2), ("flux_err <= 0", 2, 1)]


def test_true_parameters_are_found_in_a_provenance(run):
    assert true_parameters(run.truth, run.fits) == {}
    header = json.dumps({"provenance": {"truth": {"Om": 0.3, "name": "flat"}}})
    table = run.truth.replace_schema_metadata({"chandelle": header})
    assert true_parameters(table, None) == {"Om": 0.3}
