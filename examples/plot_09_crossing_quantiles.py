"""
Why not one quantile regression for each level?
===============================================

Boosted quantile regression fits every level by itself, so the levels can cross: the 45 % quantile above the
55 % quantile. One density has all levels at once, and they cannot.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from condensity import MDNRegressor
from condensity.datasets.synthetic import make_noisy_wave

problem = make_noisy_wave(800, random_state=0)
levels = np.arange(0.05, 1.0, 0.1)
grid = np.linspace(problem.X.min(), problem.X.max(), 300)[:, None]

boosted = np.column_stack([
    HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0).fit(problem.X, problem.y).predict(grid)
    for level in levels
])  # fmt: skip
model = MDNRegressor(random_state=0).fit(problem.X, problem.y)
exact = model.predict_dist(grid).ppf(levels)

# %%
# Ten levels from each.

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
for ax, title, quantiles in zip(axes, ("ten boosted regressions", "one density"), (boosted, exact), strict=True):
    ax.plot(problem.X, problem.y, ".", color="0.8", ms=2)
    ax.plot(grid, quantiles, lw=1)
    crossed = np.mean((np.diff(quantiles, axis=1) < 0).any(axis=1))
    ax.set(title=f"{title}: levels cross at {crossed:.0%} of x", xlabel="x")
axes[0].set_ylabel("y")
plt.show()

# %%
# The pinball loss of new rows, mean over the ten levels (lower is better): quantile regression is fitted to
# exactly this.

new = make_noisy_wave(4000, random_state=1)


def pinball(quantiles):
    """Mean pinball loss of quantiles (n, 10) of the new rows."""
    error = new.y[:, None] - quantiles
    return np.mean(np.maximum(levels * error, (levels - 1) * error))


boosted_new = [
    HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=0)
    .fit(problem.X, problem.y)
    .predict(new.X)
    for level in levels
]
print(f"ten boosted regressions: {pinball(np.column_stack(boosted_new)):.4f}")
print(f"one density:             {pinball(model.predict_dist(new.X).ppf(levels)):.4f}")
