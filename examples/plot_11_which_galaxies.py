"""
Which galaxies lie between two distances?
=========================================

The colour of a galaxy tells its redshift only in part: two types at different redshifts can have the same
colour. For a sample that lies between two redshifts with 95 % certainty, the probability of the interval is
needed, not a point. A point estimate with a cut takes galaxies that are outside.

The data are made up, with the two-fold ambiguity of photometric redshifts.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from condensity import MDNRegressor

rng = np.random.default_rng(0)
NEAR, FAR = 0.6, 1.0


def draw(n):
    """Three colours, and the redshift."""
    z = rng.gamma(3.0, 0.3, n)
    kind = rng.random(n) < 0.4
    folded = np.where(kind, np.abs(z - 0.9), z)  # one kind of galaxy has the same colours on both sides of z = 0.9
    colours = np.column_stack([np.sin(2 * folded), np.cos(1.5 * folded), folded**0.5])
    return colours + 0.06 * rng.normal(size=(n, 3)), z


X, z = draw(4000)
X_new, z_new = draw(20_000)
inside = (z_new > NEAR) & (z_new < FAR)

# %%
# A point estimate says inside or outside. A density gives the probability of being inside, and thus a choice:
# how pure is the sample to be?

points = HistGradientBoostingRegressor(random_state=0).fit(X, z).predict(X_new)
by_point = (points > NEAR) & (points < FAR)
dist = MDNRegressor(random_state=0).fit(X, z).predict_dist(X_new)
probability = dist.cdf(FAR) - dist.cdf(NEAR)
print(f"cut on the point estimate: {by_point.sum()} galaxies, {inside[by_point].mean():.1%} of them inside")
for least in (0.5, 0.8):
    chosen = probability > least
    share, promised = inside[chosen].mean(), probability[chosen].mean()
    print(f"P(inside) > {least}: {chosen.sum()} galaxies, {share:.1%} inside; {promised:.1%} promised")

# %%
# The promise is kept at every level.

edges = np.linspace(0, 1, 11)
bins = np.digitize(probability, edges[1:-1])
fig, ax = plt.subplots(figsize=(4.4, 4))
filled = [b for b in range(10) if (bins == b).sum() > 30]
ax.plot([0, 1], [0, 1], color="0.7")
ax.plot([probability[bins == b].mean() for b in filled], [inside[bins == b].mean() for b in filled], "o-")
ax.set(xlabel="predicted probability of being inside", ylabel="share that is inside", aspect="equal")
plt.show()
