"""The site names everything that is public."""

import importlib
from pathlib import Path

import pytest

import condensity

DOCS = Path(__file__).parent.parent / "docs"
MODULES = ("condensity.scores", "condensity.scorers", "condensity.selection", "condensity.plots", "condensity.export")


@pytest.mark.parametrize("name", ["condensity", *MODULES])
def test_every_public_name_is_in_the_reference(name):
    listed = {line.strip() for line in (DOCS / "reference" / "index.md").read_text(encoding="utf-8").splitlines()}
    names = set(importlib.import_module(name).__all__) - {"__version__"}
    if name == "condensity":
        names -= set(condensity.__all__) & {"datasets", "export", "plots", "report", "scorers", "scores", "selection"}
    assert names <= listed


def test_every_page_is_reached_from_the_index():
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    reached = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("index.md", "sceptical.md"))
    assert {page for page in pages if f"\n{page}\n" not in reached} == set()
