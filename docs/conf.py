"""How Sphinx builds these pages: `sphinx-build -W docs docs/_build`."""

project = "s2s_jax"
author = "the s2s_jax contributors"
copyright = f"2026, {author}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
default_role = "code"  # Docstrings put code between single backticks.

html_theme = "furo"
html_title = "s2s_jax"

myst_enable_extensions = ["colon_fence", "fieldlist"]
myst_heading_anchors = 3
# GitHub draws these itself; here they stay readable as text.
myst_fence_as_directive = []
suppress_warnings = ["myst.xref_missing"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_use_ivar = True

copybutton_exclude = ".linenos, .gp, .go"
