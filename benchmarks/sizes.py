"""One can add too many nodes and live with it: NLL of K in {5, 10, 20, 40} × three widths on the four odd sets.

    python benchmarks/sizes.py [--rows 2000] [--seeds 3]

Prints the mean test NLL less the entropy (50,000 rows) over the four sets for every size; the goal is a spread of at most
0.03 between the best and the worst.
"""

import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import ODD_SETS
from harness import Benchmark

COMPONENTS = (5, 10, 20, 40)
WIDTHS = (16, 32, 64)


def excess_loss(make, width, n_components, rows, seed):
    """NLL less entropy of one fit, in nats."""
    train, test = make(rows, random_state=seed), make(50_000, random_state=10_000 + seed)
    model = MDNRegressor(n_components, hidden_layer_sizes=(width, width), random_state=seed).fit(train.X, train.y)
    return test.log_density(test.X, test.y).mean() - model.score(test.X, test.y)


def main():
    """Fit and print."""
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=2000)
    run.option("--seeds", type=int, default=3)
    with run as options:
        means = {}
        for width in WIDTHS:
            for k in COMPONENTS:
                by_set = {
                    name: np.mean([excess_loss(make, width, k, options.rows, seed) for seed in range(options.seeds)])
                    for name, make in ODD_SETS.items()
                }
                means[width, k] = mean = np.mean(list(by_set.values()))
                shown = "  ".join(f"{value:.4f}" for value in by_set.values())
                run.line(
                    f"({width}, {width}), K = {k:2d}:  {mean:.4f}   by set {shown}",
                    width=width,
                    n_components=k,
                    mean=mean,
                    by_set=by_set,
                )
        spread = max(means.values()) - min(means.values())
        run.line(f"spread {spread:.4f}", spread=spread)


if __name__ == "__main__":
    main()
