"""
On which scale should y be modelled?
====================================

Prices, times and concentrations are positive and skewed. ``y_transform="log"`` fits the logarithm; every
density, quantile and score is still one of y itself, with the Jacobian in it, so the two models below can be
compared.
"""

import matplotlib.pyplot as plt
import numpy as np

from condensity import MDNRegressor

rng = np.random.default_rng(0)


def draw(n):
    """One input, and a target that is lognormal given it."""
    x = rng.uniform(-2, 2, n)
    return x[:, None], np.exp(1.0 + x + 0.8 * rng.normal(size=n))


X, y = draw(600)
X_new, y_new = draw(5000)
models = {scale: MDNRegressor(y_transform=scale, random_state=0).fit(X, y) for scale in (None, "log")}
for scale, model in models.items():
    below = model.predict_dist([[-2.0]]).cdf(0.0)[0]
    print(f"y_transform={scale!r}: {model.score(X_new, y_new):.3f} nats a row, P(y < 0 | x = -2) = {below:.2g}")

# %%
# Both densities of y at x = 0, on y's own scale, with the truth in grey.

grid = np.linspace(-2, 15, 800)
truth = np.where(
    grid > 0,
    np.exp(-0.5 * ((np.log(np.maximum(grid, 1e-9)) - 1) / 0.8) ** 2)
    / (0.8 * np.sqrt(2 * np.pi) * np.maximum(grid, 1e-9)),
    0.0,
)
fig, ax = plt.subplots(figsize=(7, 3.4))
ax.fill_between(grid, truth, color="0.85", label="truth")
for scale, model in models.items():
    ax.plot(grid, model.predict_dist([[0.0]]).pdf(grid[None])[0], label=f"y_transform={scale!r}")
ax.set(xlabel="y", ylabel="p(y | x = 0)", xlim=(-2, 15), ylim=(0, None))
ax.legend(frameon=False)
plt.show()
