"""The page in a browser: drawn without an error, hover and click work, narrow and wide.

Screenshots go to the folder CHANDELLE_SCREENSHOTS where it is set.
"""

import os
import shutil
import time
from pathlib import Path

import pytest

from chandelle.report import write_report

pytestmark = pytest.mark.browser
CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)
IS_IDLE = "return window.Bokeh?.documents.length > 0 && Bokeh.documents.every((d) => d.is_idle)"
SHOWN = """
    const points = Bokeh.documents[0].get_model_by_name("epochs");
    const curves = Bokeh.documents[0].get_model_by_name("curves");
    return [document.getElementById("selected-name").textContent,
            points.data.mjd.length, curves.data.xs.length]
"""
PLACE = """
    const source = Bokeh.documents[0].get_model_by_name("diagram");
    const root = Bokeh.documents[0].roots().find((r) => r.y_range.start > 10);
    const view = Bokeh.index.get_one(root);
    const i = source.data.sn.indexOf(arguments[0]);
    const [sx, sy] = [view.frame.x_scale.compute(source.data.z[i]),
                      view.frame.y_scale.compute(source.data.mu[i])];
    view.el.scrollIntoView({block: "center", behavior: "instant"});
    const box = view.el.getBoundingClientRect();
    return [box.left + sx, box.top + sy]
"""
TOOLTIPS = """
    const texts = [];
    const walk = (node) => {
      for (const element of node.querySelectorAll("*")) {
        if (element.classList.contains("tip")) { texts.push(element.textContent); }
        if (element.shadowRoot) { walk(element.shadowRoot); }
      }
    };
    walk(document);
    return texts
"""
DARK_PIXELS = """
    const counts = [];
    const walk = (node) => {
      for (const element of node.querySelectorAll("*")) {
        if (element.tagName === "CANVAS" && element.width * element.height > 0) {
          const pixels = element.getContext("2d")
            .getImageData(0, 0, element.width, element.height).data;
          let count = 0;
          for (let k = 3; k < pixels.length; k += 4) { count += pixels[k] > 128; }
          counts.push(count);
        }
        if (element.shadowRoot) { walk(element.shadowRoot); }
      }
    };
    walk(document);
    return counts
"""


def wait_until(condition, what: str, *, seconds: float = 20.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    pytest.fail(f"{what}: not within {seconds} s")


@pytest.fixture(scope="module")
def page(run, drawing, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_report(path, **run.arguments(), title="A drawn run", model_curve=drawing.bell)
    return path


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    missing = [path for path in (CHROMIUM, DRIVER) if not shutil.which(path)]
    if missing:
        pytest.skip(f"no {missing[0]}; install the Debian packages chromium, chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    folder = tmp_path_factory.mktemp("chromium")
    for flag in [*FLAGS.split(), f"--user-data-dir={folder}", "--hide-scrollbars"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def resize(driver, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def keep_screenshot(driver, width: int) -> None:
    folder = os.environ.get("CHANDELLE_SCREENSHOTS")
    if folder:
        height = driver.execute_script("return document.documentElement.scrollHeight")
        resize(driver, width, height)
        time.sleep(0.5)
        Path(folder).mkdir(parents=True, exist_ok=True)
        driver.save_screenshot(str(Path(folder) / f"report_{width}.png"))
        resize(driver, width, 900)


@pytest.fixture(params=[1400, 400])
def opened(driver, page, request):
    """The page, loaded at a width, with its first light curve shown."""
    resize(driver, request.param, 900)
    driver.get(page.as_uri())
    wait_until(lambda: driver.execute_script(IS_IDLE), "Bokeh documents idle")
    wait_until(lambda: driver.execute_script(SHOWN)[1] > 0, "first light curve")
    return driver


def mouse(driver, kind: str, x: float, y: float, **more) -> None:
    driver.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **more})


def test_drawn_without_error_or_request(opened, drawing):
    width = opened.execute_script("return window.innerWidth")
    keep_screenshot(opened, width)
    errors = [e for e in opened.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
    assert errors == []
    assert opened.execute_script("return window.hacked") is None
    requests = opened.execute_script(
        "return performance.getEntriesByType('resource').map((e) => e.name)"
    )
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == []
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    drawn = [count for count in opened.execute_script(DARK_PIXELS) if count > 1000]
    assert len(drawn) >= 4, "diagram, residuals, fluxes, pulls"
    images = opened.execute_script(
        "return [...document.images].map((i) => i.complete && i.naturalWidth > 0)"
    )
    assert images == [True] * 6, "residual map, corner and the figures of the sample"


def test_hover_names_the_supernova_and_click_shows_it(opened, run, drawing):
    lonely = run.diagram["sn"][run.diagram["z_hd"].argmin()]  # nothing else under the mouse
    for sn in (lonely, drawing.hostile):
        x, y = opened.execute_script(PLACE, sn)
        mouse(opened, "mouseMoved", x - 30, y)
        mouse(opened, "mouseMoved", x, y)
        texts = wait_until(lambda: opened.execute_script(TOOLTIPS), "tooltip")
        assert len(texts) == 1
        assert sn in texts[0]
        mouse(opened, "mousePressed", x, y, button="left", clickCount=1)
        mouse(opened, "mouseReleased", x, y, button="left", clickCount=1)
        wait_until(lambda sn=sn: opened.execute_script(SHOWN)[0] == sn, f"light curve of {sn}")
        time.sleep(0.6)  # a second click at once would be a double click
        _, n_epochs, n_curves = opened.execute_script(SHOWN)
        table = run.lightcurves.of(sn)
        assert n_epochs == table.num_rows
        assert n_curves == len(set(table["band"].to_pylist()))
    facts = opened.execute_script("return document.getElementById('selected-facts').textContent")
    row = run.fits["sn"].tolist().index(drawing.hostile)
    assert f"x1 = {run.fits['x1'][row]:.2f}" in facts
    assert opened.execute_script("return window.hacked") is None


def test_tables_and_search_choose_a_supernova(opened, run):
    ok = run.fits.select(run.fits.is_ok)
    worst = ok["sn"][(-ok["chi2"] / ok["ndof"]).argmin()]
    opened.execute_script("document.querySelector('#worst button').click()")
    wait_until(lambda: opened.execute_script(SHOWN)[0] == worst, "light curve of the worst fit")
    failed = run.fits["sn"][3]
    opened.find_element("id", "search").send_keys(failed)
    wait_until(lambda: opened.execute_script(SHOWN)[0] == failed, "light curve searched for")
    assert opened.execute_script(SHOWN)[2] == 0, "a failed fit has no curve"
    facts = opened.execute_script("return document.getElementById('selected-facts').textContent")
    assert facts == "no SALT fit: too few epochs"
    assert [e for e in opened.get_log("browser") if e["level"] == "SEVERE"] == []
