"""
Do two outputs go together?
===========================

With two outputs the distribution of a row is a surface. Where the outputs go together, two separate intervals
say too much and too little at once: the pair may be impossible although each half of it is ordinary.
"""

import matplotlib.pyplot as plt
import numpy as np

from condensity import MDNRegressor

rng = np.random.default_rng(0)
x = rng.uniform(-2, 2, 3000)
angle = x + rng.choice([0.0, np.pi], x.size)
Y = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.normal(1.5, 0.15, x.size)[:, None]
Y += 0.1 * rng.normal(size=Y.shape)
model = MDNRegressor(random_state=0).fit(x[:, None], Y)

# %%
# The density of both outputs at three x; the two spots turn about the origin.

side = np.linspace(-2.5, 2.5, 151)
points = np.stack(np.meshgrid(side, side), axis=-1).reshape(1, -1, 2)
at = np.array([[-1.5], [0.0], [1.5]])
dist = model.predict_dist(at)
density = dist.pdf(points).reshape(len(at), side.size, side.size)

fig, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)
for ax, value, surface in zip(axes, at[:, 0], density, strict=True):
    ax.contourf(side, side, surface, levels=12, cmap="Blues")
    ax.set(title=f"x = {value:g}", xlabel="first output", aspect="equal")
axes[0].set_ylabel("second output")
plt.show()

# %%
# Given one output, the other is a distribution of one output again, by exact conditioning.

given = dist[:1].condition({0: 0.0})
print("second output where x = -1.5 and the first is 0: modes", given.modes()[0].round(2))
print("mean of the pair, which is never seen:", dist[:1].mean().round(2))
