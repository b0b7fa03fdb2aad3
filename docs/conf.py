"""Sphinx: MyST notebooks, every page executed, warnings are errors."""

import os
from importlib.metadata import version as _version
from pathlib import Path

project = "chandelle"
html_static_path = ["_static"]
author = "The chandelle developers"
copyright = "2026, the chandelle developers"
release = _version("chandelle")

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "jupyter_execute"]
templates_path = []

html_theme = "pydata_sphinx_theme"
html_title = "chandelle"
html_theme_options = {"show_toc_level": 2, "navbar_align": "left"}

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

# The pages run on the real data where they lie, on simulated data elsewhere.
_data = Path(__file__).resolve().parents[2] / "shared" / "data"
os.environ.setdefault("CHANDELLE_TEST_DATA", str(_data))
os.environ.setdefault("JAX_PLATFORMS", "cpu")
