"""Charts: functions that draw on one matplotlib axes and return it. They never call show.

>>> from condensity.plots import samples_panel, slices_panel        # doctest: +SKIP
>>> samples_panel(model, X, y, ax=ax)                               # doctest: +SKIP
"""

from condensity.plots.panels import (
    data_panel,
    edges_panel,
    means_panel,
    samples_panel,
    scales_panel,
    shade_outside,
    weights_panel,
)
from condensity.plots.slices import reverse_panel, slice_rows, slices_panel
from condensity.plots.style import model_colours, small_multiples

__all__ = [
    "data_panel",
    "edges_panel",
    "means_panel",
    "model_colours",
    "reverse_panel",
    "samples_panel",
    "scales_panel",
    "shade_outside",
    "slice_rows",
    "slices_panel",
    "small_multiples",
    "weights_panel",
]
