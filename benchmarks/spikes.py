"""The blog post's weakness 1: σ of components that nobody uses. Largest σ_k(x) over the input range, all components, in sd(y).

    python benchmarks/spikes.py [--rows 2000] [--seeds 3]

For `MDNRegressor.from_blog()` and the default, on the four odd sets: the largest σ on 2001 points from the smallest to the
largest x, and the test NLL less the true entropy (10⁵ rows), means over seeds and the worst σ.
"""

import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import ODD_SETS
from harness import Benchmark


def spike_and_excess(make, make_model, rows, seed):
    """Largest σ in sd(y), and NLL less entropy in nats, of one fit."""
    train, test = make(rows, random_state=seed), make(100_000, random_state=10_000 + seed)
    model = make_model(random_state=seed).fit(train.X, train.y)
    line = np.linspace(train.X.min(), train.X.max(), 2001)[:, None]
    spike = model.predict_dist(line).scales.max() / train.y.std()
    return spike, test.log_density(test.X, test.y).mean() - model.score(test.X, test.y)


def main():
    """Fit and print."""
    run = Benchmark(__doc__)
    run.option("--rows", type=int, default=2000)
    run.option("--seeds", type=int, default=3)
    with run as options:
        for problem, make in ODD_SETS.items():
            for name, make_model in (("from_blog", MDNRegressor.from_blog), ("default", MDNRegressor)):
                pairs = [spike_and_excess(make, make_model, options.rows, seed) for seed in range(options.seeds)]
                spikes, excess = np.transpose(pairs)
                run.line(
                    f"{problem:14s} {name:10s} largest σ {spikes.mean():8.3g} sd(y) (worst {spikes.max():8.3g})"
                    f"   NLL − entropy {excess.mean():.4f}",
                    problem=problem,
                    model=name,
                    spikes=spikes,
                    excess=excess,
                )


if __name__ == "__main__":
    main()
