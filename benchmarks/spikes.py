"""The blog post's weakness 1: σ of components that nobody uses. Largest σ_k(x) over the input range, all components, in sd(y).

    OMP_NUM_THREADS=1 python benchmarks/spikes.py [--rows 2000] [--seeds 3]

For `MDNRegressor.from_blog()` and the default, on the four odd sets: the largest σ on 2001 points from the smallest to the
largest x, and the test NLL less the true entropy (10⁵ rows), means over seeds and the worst σ.
"""

import argparse
import sys
import warnings

import numpy as np

from condensity import MDNRegressor
from condensity.datasets import synthetic

SETS = (synthetic.make_noisy_wave, synthetic.make_inverse_wave, synthetic.make_ring, synthetic.make_cross)


def main():
    """Fit and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # the post's network is not expected to settle
    for make in SETS:
        for name, cls in (("from_blog", MDNRegressor.from_blog), ("default", MDNRegressor)):
            spikes, excess = [], []
            for seed in range(options.seeds):
                train, test = make(options.rows, random_state=seed), make(100_000, random_state=10_000 + seed)
                model = cls(random_state=seed).fit(train.X, train.y)
                line = np.linspace(train.X.min(), train.X.max(), 2001)[:, None]
                spikes.append(model.predict_dist(line).scales.max() / train.y.std())
                excess.append(test.log_density(test.X, test.y).mean() - model.score(test.X, test.y))
            sys.stdout.write(
                f"{make.__name__[5:]:14s} {name:10s} largest σ {np.mean(spikes):8.3g} sd(y) (worst {max(spikes):8.3g})"
                f"   NLL − entropy {np.mean(excess):.4f}\n"
            )


if __name__ == "__main__":
    main()
