"""One can add too many nodes and live with it: NLL of K in {5, 10, 20, 40} × three widths on the four odd sets.

    OMP_NUM_THREADS=1 python benchmarks/sizes.py [--rows 2000] [--seeds 3]

Prints the mean test NLL less the entropy (50,000 rows) over the four sets for every size; the goal is a spread of at most
0.03 between the best and the worst.
"""

import argparse
import sys
import warnings

import numpy as np

from condensity import MDNRegressor
from condensity.datasets import synthetic

SETS = (synthetic.make_noisy_wave, synthetic.make_inverse_wave, synthetic.make_ring, synthetic.make_cross)
COMPONENTS = (5, 10, 20, 40)
WIDTHS = (16, 32, 64)


def main():
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    means = {}
    for width in WIDTHS:
        for components in COMPONENTS:
            losses = []
            for make in SETS:
                for seed in range(options.seeds):
                    train, test = make(options.rows, random_state=seed), make(50_000, random_state=10_000 + seed)
                    model = MDNRegressor(components, hidden_layer_sizes=(width, width), random_state=seed)
                    losses.append(
                        test.log_density(test.X, test.y).mean() - model.fit(train.X, train.y).score(test.X, test.y)
                    )
            means[width, components] = np.mean(losses)
            by_set = np.mean(np.reshape(losses, (len(SETS), -1)), axis=1)
            shown = "  ".join(f"{value:.4f}" for value in by_set)
            sys.stdout.write(
                f"({width}, {width}), K = {components:2d}:  {means[width, components]:.4f}   by set {shown}\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"spread {max(means.values()) - min(means.values()):.4f}\n")


if __name__ == "__main__":
    main()
