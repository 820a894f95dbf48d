"""
What if there is more than one answer?
======================================

On the inverse wave one x has up to three values of y, and their mean is none of them. The 90 % *region* is
the smallest set that holds 90 % of the probability: it falls into as many pieces as there are answers, where
an interval must cover the empty space too.
"""

import matplotlib.pyplot as plt
import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import make_inverse_wave

problem = make_inverse_wave(2000, random_state=0)
model = MDNRegressor(random_state=0).fit(problem.X, problem.y)

grid = np.linspace(problem.X.min(), problem.X.max(), 241)[:, None]
dist = model.predict_dist(grid)

# %%
# ``region`` gives one array of pieces (low, high) for each row, ``modes`` the places where the density is
# highest.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
for ax in axes:
    ax.plot(problem.X, problem.y, ".", color="0.75", ms=2, zorder=0)
    ax.set_xlabel("x")
low, high = dist.interval(0.9).T
axes[0].fill_between(grid[:, 0], low, high, color="C0", alpha=0.3, lw=0)
axes[0].plot(grid, dist.mean(), color="C3")
axes[0].set(ylabel="y", title="90 % interval, and the mean in red")
for x, pieces in zip(grid[:, 0], dist.region(0.9), strict=True):
    axes[1].vlines(np.full(len(pieces), x), pieces[:, 0], pieces[:, 1], color="C0", alpha=0.4, lw=2)
axes[1].set_title("90 % region")
plt.show()

# %%
# In numbers: both hold 90 % of new points, and the region is far shorter.

new = make_inverse_wave(2000, random_state=1)
at_new = model.predict_dist(new.X)
low, high = at_new.interval(0.9).T
inside = at_new.hpd_value(new.y) <= 0.9
length = np.array([np.diff(pieces, axis=1).sum() for pieces in at_new.region(0.9)])
print(f"interval: covers {np.mean((low <= new.y) & (new.y <= high)):.3f}, mean length {np.mean(high - low):.2f}")
print(f"region:   covers {inside.mean():.3f}, mean length {length.mean():.2f}")
