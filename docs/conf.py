"""The site: ``sphinx-build -W docs build/docs``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generate

import scipy_gd

project = "scipy_gd"
author = "The scipy_gd developers"
copyright = author
version = release = scipy_gd.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "matplotlib.sphinxext.plot_directive",
    "sphinx_gallery.gen_gallery",
    "extension",
]
sphinx_gallery_conf = {
    "examples_dirs": "../examples/cookbook",
    "gallery_dirs": "generated/cookbook",
    "filename_pattern": r"[\\/](?!jax_|torch_)\w+\.py$",  # too large to install for a page
    "within_subsection_order": "gallery.order",
    "image_scrapers": ("matplotlib", "gallery.files"),
    "default_thumb_file": str(HERE / "generated/methods/lbfgs.png"),
    "abort_on_example_error": True,
    "capture_repr": (),
    "show_signature": False,
    "write_computation_times": False,
}
# what the pages refer to, kept here: nothing is fetched when they are built
intersphinx_mapping = {
    "scipy": ("https://docs.scipy.org/doc/scipy/", "inventories/scipy.txt"),
    "numpy": ("https://numpy.org/doc/stable/", "inventories/numpy.txt"),
    "numba": ("https://numba.readthedocs.io/en/stable/", "inventories/numba.txt"),
}
exclude_patterns = [
    "README.md",
    "generated/options.rst",
    "generated/endings.rst",
    "generated/benchmarks.rst",
    "generated/citation.rst",
]
suppress_warnings = ["myst.header"]  # the results have no headings of the second level
default_role = "py:obj"
rst_prolog = ".. py:currentmodule:: scipy_gd"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it
numpydoc_show_class_members = False
plot_include_source = True
plot_html_show_formats = plot_html_show_source_link = False
plot_formats = [("png", 120)]
plot_rcparams = {"figure.figsize": (6.4, 4.2), "savefig.bbox": "tight"}
plot_apply_rcparams = True

html_theme = "furo"
html_title = f"scipy_gd {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False


def setup(app):
    app.connect("builder-inited", lambda app: generate.everything(HERE / "generated"), 0)
