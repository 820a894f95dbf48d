"""Charts: functions that draw on one matplotlib axes and return it. They never call show.

>>> from condensity import JointGMMRegressor
>>> from condensity.datasets.synthetic import make_ring
>>> from condensity.plots import samples_panel, small_multiples
>>> problem = make_ring(500, random_state=0)
>>> model = JointGMMRegressor(8, random_state=0).fit(problem.X, problem.y)
>>> figure, (ax,) = small_multiples(1)
>>> samples_panel(model, problem.X, problem.y, ax=ax) is ax
True
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
from condensity.plots.slices import inverse_panel, slice_rows, slices_panel
from condensity.plots.style import model_colours, small_multiples

__all__ = [
    "data_panel",
    "edges_panel",
    "inverse_panel",
    "means_panel",
    "model_colours",
    "samples_panel",
    "scales_panel",
    "shade_outside",
    "slice_rows",
    "slices_panel",
    "small_multiples",
    "weights_panel",
]
