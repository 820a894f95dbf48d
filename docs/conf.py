"""Settings of the site: `sphinx-build -W docs docs/_build/html`."""

import os

import condensity

project = "condensity"
author = "The condensity developers"
project_copyright = "The condensity developers"
release = condensity.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
nitpicky = False
default_role = "code"  # `name` in a docstring is code, as it is read in the source

# ---------------------------------------------------------------------------------------- reference
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

# ------------------------------------------------------------------------------------------- pages
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
doctest_test_doctest_blocks = ""  # those of docstrings are run by tests/test_package.py
doctest_global_setup = "import numpy as np; np.set_printoptions(legacy='1.25')"

# The site builds without the internet; set CONDENSITY_DOCS_ONLINE=1 to link to other projects' references.
intersphinx_mapping = (
    {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }
    if os.environ.get("CONDENSITY_DOCS_ONLINE")
    else {}
)

# ----------------------------------------------------------------------------------------- gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "/plot_",
    "ignore_pattern": "four_odd_sets",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "matplotlib_animations": False,
    "remove_config_comments": True,
}

# -------------------------------------------------------------------------------------------- html
html_theme = "pydata_sphinx_theme"
html_title = "condensity"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
