"""
How far may the next one be off?
================================

A regression gives one number a row. Here each row gets a whole distribution, and any quantile of it is exact.
The table is scikit-learn's *diabetes*: 442 patients, ten measurements, and the progress of the disease a year
later.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from condensity import JointGMMRegressor

X, y = load_diabetes(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = JointGMMRegressor(random_state=0).fit(X_train, y_train)
dist = model.predict_dist(X_test)

# %%
# Ninety of a hundred new patients should fall inside the 90 % interval, not only on average over all levels:
# the share that falls below each quantile is to be the level of that quantile.

levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
below = (y_test.to_numpy()[:, None] <= dist.ppf(levels)).mean(axis=0)
for level, share in zip(levels, below, strict=True):
    print(f"level {level:.2f}: {share:.2f} of {len(y_test)} new patients are below")

# %%
# The patients in order of their median, with intervals of 50 % and 90 %.

order = np.argsort(dist.median())
rank = np.arange(len(order))
fig, ax = plt.subplots(figsize=(8, 4))
for level, alpha in ((0.9, 0.2), (0.5, 0.4)):
    low, high = dist.interval(level)[order].T
    ax.fill_between(rank, low, high, color="C0", alpha=alpha, lw=0, label=f"{level:.0%} interval")
ax.plot(rank, dist.median()[order], color="C0", label="median")
ax.plot(rank, y_test.to_numpy()[order], ".", color="black", ms=4, label="what happened")
ax.set(xlabel="new patients, in order of the predicted median", ylabel="progress after a year")
ax.legend(frameon=False, ncols=4, loc="upper left", fontsize="small")
plt.show()
