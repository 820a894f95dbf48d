"""Names with characters that fonts lack: no boxes in pictures, and no warnings of them."""

import matplotlib as mpl
import pandas as pd
import pytest

from condensity.plots import data_panel, small_multiples
from condensity.plots.glyphs import drawable, families
from condensity.plots.style import annotate_corner, shorten


@pytest.mark.trap(128)
@pytest.mark.parametrize(
    "name",
    [
        "🏠 size",
        "town 🏙️",
        "👨‍👩‍👧 family",
        "🇨🇭",
        "東京",
        "חֶדֶר",
        "ไทย",
        "price €",
        "μₖ ▲ σ²",
        "a\u0301",
        "\U000e0001 tag",
    ],
)
def test_no_picture_has_a_box(name):
    """A missing glyph is a warning of matplotlib, and warnings are errors here."""
    table = pd.DataFrame({name: [f"{name} {k % 3}" for k in range(9)]})
    figure, (ax,) = small_multiples(1)
    data_panel(table, range(9), ax=ax, target=name)
    annotate_corner(ax, name)
    figure.canvas.draw()
    assert ax.get_xlabel() == shorten(name)
    assert ax.get_xlabel().strip()


@pytest.mark.trap(128)
def test_symbols_without_a_font_are_named_and_can_be_told_apart(monkeypatch):
    monkeypatch.setattr("condensity.plots.glyphs._installed_helpers", lambda: ())
    assert drawable("🏠 size") == ":house building: size"
    assert drawable("🏙️") == ":cityscape:"
    assert drawable("東") == "U+6771"
    assert drawable("size, m²") == "size, m²"
    assert families("🏠") == mpl.rcParams["font.family"]
