"""
Does the model know this kind of row?
=====================================

A conditional density integrates to one at every x, also where there was never any data. ``support`` gives
each row a p-value: the share of training-like rows that are at least as unusual. With ``outside="deficient"``
the total probability falls to 0 away from the data.
"""

import matplotlib.pyplot as plt
import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import make_cross

problem = make_cross(2000, random_state=0)
model = MDNRegressor(random_state=0).fit(problem.X, problem.y)
x = np.linspace(-6.0, 6.0, 400)[:, None]

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
for ax, outside in zip(axes, ("ignore", "deficient"), strict=True):
    draws = model.predict_dist(x, outside=outside).sample(20, random_state=0)
    ax.plot(np.repeat(x[:, 0], 20), draws.ravel(), ".", color="C0", ms=2, alpha=0.5)
    ax.plot(problem.X, problem.y, ".", color="0.6", ms=1)
    ax.set(xlabel="x", title=f'draws with outside="{outside}"', ylim=(-8, 8))
plt.show()

# %%
# The p-values are calibrated: of new rows like the training rows, one in a hundred has a p-value below .01.

new = make_cross(20_000, random_state=1)
for alpha in (0.01, 0.05, 0.2):
    print(
        f"alpha {alpha}: {np.mean(~model.in_support(new.X, alpha=alpha)):.3f} of new rows are called unlike the training rows"
    )
print("p-values at 0, 2.5 and 5:", model.support([[0.0], [2.5], [5.0]]).round(4))
