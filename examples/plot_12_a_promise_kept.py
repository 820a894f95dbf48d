"""
Which delivery time can be promised?
====================================

A shop promises a delivery time for each order, and pays back the fee when it is late. The promise should be
kept 95 % of the time *for every kind of order*. A margin that is right on average is too long for the near
ones and too short for the far ones.

The data are made up: the time grows with the distance, and in the evening some drivers take a second order
first.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from condensity import MDNRegressor

rng = np.random.default_rng(0)


def draw(n):
    """Orders: distance in km and hour of the day; and minutes until delivery."""
    distance, hour = rng.gamma(2.0, 1.5, n), rng.uniform(10, 22, n)
    second = rng.random(n) < np.where(hour > 18, 0.4, 0.05)
    minutes = (12 + 4 * distance) * np.exp((0.1 + 0.02 * distance) * rng.normal(size=n)) + second * (10 + 3 * distance)
    return np.column_stack([distance, hour]), minutes


X, minutes = draw(3000)
X_new, minutes_new = draw(10_000)

# %%
# The usual way: a mean plus one margin, the 95 % quantile of the errors on orders kept apart.

tree = HistGradientBoostingRegressor(random_state=0).fit(X[:2000], minutes[:2000])
margin = np.quantile(minutes[2000:] - tree.predict(X[2000:]), 0.95)
usual = tree.predict(X_new) + margin
promise = MDNRegressor(y_transform="log", random_state=0).fit(X, minutes).predict_dist(X_new).ppf(0.95)

groups = {
    "near, daytime": (X_new[:, 0] < 3) & (X_new[:, 1] < 18),
    "near, evening": (X_new[:, 0] < 3) & (X_new[:, 1] >= 18),
    "far, daytime": (X_new[:, 0] >= 3) & (X_new[:, 1] < 18),
    "far, evening": (X_new[:, 0] >= 3) & (X_new[:, 1] >= 18),
}
for name, rows in groups.items():
    print(
        f"{name:<14} one margin: {np.mean(minutes_new[rows] <= usual[rows]):.1%} in time, {usual[rows].mean():.0f} min promised;"
        f"  quantile: {np.mean(minutes_new[rows] <= promise[rows]):.1%}, {promise[rows].mean():.0f} min"
    )
print(f"all orders     one margin: {usual.mean():.1f} min promised; quantile: {promise.mean():.1f} min")

# %%
fig, ax = plt.subplots(figsize=(7, 3.4))
where = np.arange(len(groups))
for shift, (name, plan) in zip(
    (-0.18, 0.18), (("mean + one margin", usual), ("95 % quantile of the density", promise)), strict=True
):
    ax.bar(
        where + shift, [np.mean(minutes_new[rows] <= plan[rows]) for rows in groups.values()], width=0.34, label=name
    )
ax.axhline(0.95, color="black", lw=0.8)
ax.set(ylabel="delivered in time", ylim=(0.75, 1.0), xticks=where, xticklabels=list(groups))
ax.legend(frameon=False, loc="lower left", fontsize="small")
plt.show()
