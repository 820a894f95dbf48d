"""
How much does a missing value cost?
===================================

A joint mixture knows p(x, y), so a missing input is integrated out: nothing is filled in. The interval
becomes as wide as what is left allows, and keeps its coverage.
"""

import matplotlib.pyplot as plt
import numpy as np

from condensity import JointGMMRegressor

rng = np.random.default_rng(0)


def draw(n):
    """Three inputs that resemble each other, and y, which depends on all of them."""
    common = rng.normal(size=n)
    X = common[:, None] + 0.7 * rng.normal(size=(n, 3))
    return X, X @ [1.0, 0.7, 0.4] + 0.3 * rng.normal(size=n)


X, y = draw(1500)
X[rng.random(X.shape) < 0.2] = np.nan  # a fifth of the cells is missing already when fitting
model = JointGMMRegressor(random_state=0).fit(X, y)

# %%
# New rows with none, one, two or all three of the inputs missing.

new, target = draw(4000)
widths, covered = [], []
for n_missing in range(4):
    holed = new.copy()
    for row in holed:
        row[rng.permutation(3)[:n_missing]] = np.nan
    low, high = model.predict_interval(holed, level=0.9).T
    widths.append(np.mean(high - low))
    covered.append(np.mean((low <= target) & (target <= high)))
    print(f"{n_missing} missing: mean width {widths[-1]:.2f}, covers {covered[-1]:.3f}")

fig, ax = plt.subplots(figsize=(6, 3.4))
ax.bar(range(4), widths, color="C0", alpha=0.6)
for at, (width, share) in enumerate(zip(widths, covered, strict=True)):
    ax.text(at, width, f"{share:.1%}\ncovered", ha="center", va="bottom", fontsize="small")
ax.set(xlabel="missing inputs", ylabel="mean width of the 90 % interval", xticks=range(4), ylim=(0, max(widths) * 1.25))
plt.show()
