"""How categories are best shown to a model: a column a level, ±1 codes, or ranks; behind `data.schema.MAX_ONE_HOT`.

    python benchmarks/categories.py

The target is an effect of the level + sin 2x + noise, levels come unequally often; NLL of fresh rows, mean over seeds.
Ranks follow the order of the effects, or none.
"""

import numpy as np
import pandas as pd

from condensity import JointGMMRegressor, MDNRegressor
from condensity.data import schema
from harness import Benchmark, timed

NOISE = 0.3


def make_table(n_levels, n_rows, seed, *, monotone, ordered):
    """Frame and targets; levels are in the order of their effects, or in none, and the column says that they have one, or not."""
    rng = np.random.default_rng(seed)
    effects = np.random.default_rng(n_levels).normal(size=n_levels)
    effects = np.sort(effects) if monotone else effects
    shares = np.random.default_rng(n_levels + 1).dirichlet(np.full(n_levels, 2.0))
    level, x = rng.choice(n_levels, n_rows, p=shares), rng.normal(size=n_rows)
    names = [f"level {k:04d}" for k in range(n_levels)]
    frame = pd.DataFrame({"x": x, "level": pd.Categorical.from_codes(level, names, ordered=ordered)})
    return frame, effects[level] + np.sin(2 * x) + NOISE * rng.normal(size=n_rows)


def score(make_model, n_levels, n_rows, how, seeds, *, monotone):
    """Mean NLL of fresh rows and seconds a fit, over seeds."""
    schema.MAX_ONE_HOT = 2 if how == "signs" else 10_000
    results, spec = [], {"monotone": monotone, "ordered": how == "ranks"}
    for seed in range(seeds):
        X, y = make_table(n_levels, n_rows, seed, **spec)
        fresh, fresh_y = make_table(n_levels, 5000, seed + 100, **spec)
        seconds, model = timed(lambda X=X, y=y, seed=seed: make_model(seed).fit(X, y))
        results.append((-model.score(fresh, fresh_y), seconds))
    return np.mean(results, axis=0)


MODELS = {
    "MDN": lambda seed: MDNRegressor(random_state=seed, support_model=None),
    "GMM": lambda seed: JointGMMRegressor(random_state=seed),
}
SIZES = ((8, 1000), (30, 1000), (30, 5000), (100, 5000), (300, 5000))
WAYS = ("columns", "signs", "ranks")


def main():
    """Print one line a setting."""
    run = Benchmark(__doc__)
    run.option("--seeds", type=int, default=3)
    run.option("--max-levels", type=int, default=300)
    with run as options:
        run.line(f"NLL of the truth {0.5 * np.log(2 * np.pi * np.e * NOISE**2):.3f}")
        run.line("model  levels   rows  effects     column a level             signs             ranks")
        for name, make_model in MODELS.items():
            for n_levels, n_rows in SIZES:
                if n_levels > options.max_levels or (name == "GMM" and n_levels > 100):
                    continue
                for monotone in (False, True):
                    cells = {
                        how: score(make_model, n_levels, n_rows, how, options.seeds, monotone=monotone) for how in WAYS
                    }
                    shown = "  ".join(f"{nll:8.3f} ({seconds:4.1f} s)" for nll, seconds in cells.values())
                    run.line(
                        f"{name}    {n_levels:6d}  {n_rows:5d}  {'in order' if monotone else 'in none '}  {shown}",
                        model=name,
                        levels=n_levels,
                        rows=n_rows,
                        in_order=monotone,
                        **cells,
                    )


if __name__ == "__main__":
    main()
