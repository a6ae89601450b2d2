"""Sphinx configuration of gclnm's documentation."""

from gclnm import __version__

project = "gclnm"
author = "gclnm developers"
copyright = "gclnm developers, Apache-2.0"
version = release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.intersphinx", "numpydoc"]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = "gclnm"
html_static_path = ["images"]
autosummary_generate = True
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
intersphinx_mapping = {}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 600
