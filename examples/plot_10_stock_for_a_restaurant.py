"""
How many meals should a restaurant prepare?
===========================================

A meal that is prepared and not sold costs 4; a guest who is sent away costs 11 of lost margin. The best
number is not the expected demand but its quantile at 11 / (11 + 4), the *critical ratio* of the newsvendor
problem (Arrow, Harris & Marschak 1951). A mean cannot give it, and a mean with a constant spread gives the
wrong one, because the spread depends on the day.

The data are made up: demand depends on the temperature and the day of the week; on fine weekends a coach may
stop.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor

from condensity import MDNRegressor

rng = np.random.default_rng(0)
TOO_MANY, TOO_FEW = 4.0, 11.0


def draw(n):
    """Days: temperature, day of the week from 0, weekend or not; and the number of guests."""
    temperature, day = rng.uniform(0, 30, n), rng.integers(0, 7, n)
    weekend = day >= 5
    mean = 40 + 1.5 * temperature + 25 * weekend
    coach = (rng.random(n) < 0.35) & weekend & (temperature > 15)
    return np.column_stack([temperature, day, weekend]), mean + rng.normal(size=n) * (
        4 + 0.3 * temperature
    ) + 45 * coach


X, demand = draw(2000)
X_new, demand_new = draw(4000)
ratio = TOO_FEW / (TOO_FEW + TOO_MANY)


def cost(prepared):
    """Mean cost of a day."""
    return np.mean(TOO_MANY * np.maximum(prepared - demand_new, 0) + TOO_FEW * np.maximum(demand_new - prepared, 0))


# %%
# Four ways to decide, by the mean cost of a new day.

tree = HistGradientBoostingRegressor(random_state=0).fit(X[:1500], demand[:1500])
spread = np.std(demand[1500:] - tree.predict(X[1500:]))
model = MDNRegressor(random_state=0).fit(X, demand)
plans = {
    "expected demand": tree.predict(X_new),
    "expected demand + constant spread": tree.predict(X_new) + spread * stats.norm.ppf(ratio),
    "quantile of the density": model.predict_dist(X_new).ppf(ratio),
}
for name, plan in plans.items():
    print(
        f"{name:<36} {cost(plan):6.2f} a day, {365 * (cost(plans['expected demand']) - cost(plan)):7.0f} saved in a year"
    )

# %%
# On a warm Saturday the density has two humps, with and without the coach.

grid = np.linspace(50, 220, 400)
saturday = model.predict_dist([[25.0, 5, 1]])
fig, ax = plt.subplots(figsize=(7, 3.4))
ax.fill_between(grid, saturday.pdf(grid[None])[0], color="C0", alpha=0.3)
ax.axvline(saturday.mean()[0], color="C3", label="expected demand")
ax.axvline(saturday.ppf(ratio)[0], color="C0", label=f"quantile of {ratio:.0%}")
ax.set(xlabel="guests on a Saturday of 25 degrees", ylabel="density", ylim=(0, None))
ax.legend(frameon=False)
plt.show()
