"""Draw the README's picture: data, draws and one slice on the four odd data sets.

python examples/four_odd_sets.py [PICTURE]
"""

import sys

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import ODD_SETS
from condensity.plots import data_panel, model_colours, samples_panel, slice_rows, slices_panel, small_multiples


def main(path="docs/images/four-odd-sets.png"):
    """Fit two models to each set and save a figure of four rows and four columns."""
    figure, axes = small_multiples(16, columns=4, height=2.6)
    for column, (name, make) in enumerate(ODD_SETS.items()):
        X, y, log_density, *_ = make(2000, random_state=0)
        models = {
            "MDN": MDNRegressor(random_state=0).fit(X, y),
            "joint GMM": JointGMMRegressor(random_state=0).fit(X, y),
        }
        colours = model_colours(models)
        data_panel(X, y, ax=axes[column]).set_title(name)
        for row, (label, model) in enumerate(models.items(), start=1):
            ax = samples_panel(model, X, y, ax=axes[4 * row + column], colour=colours[label])
            ax.set_title(f"draws of the {label}")
        _, (at, x0) = slice_rows(X, 0, count=2)
        ax = slices_panel(models, x0, (y.min(), y.max()), ax=axes[12 + column], truth=log_density, colours=colours)
        ax.set_title(f"p(y | x = {at:.2g}), truth in grey")
    figure.savefig(path, dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    main(*sys.argv[1:])
