"""
Is the noise the same everywhere?
=================================

On the noisy wave the spread of y depends on x. A model of the mean says nothing of it; here σ(x) is part of
the answer and can be laid over the truth, because the problem comes with its density.
"""

import matplotlib.pyplot as plt
import numpy as np

from condensity import MDNRegressor
from condensity.datasets.synthetic import make_noisy_wave

problem = make_noisy_wave(2000, random_state=0)
model = MDNRegressor(random_state=0).fit(problem.X, problem.y)

x = np.linspace(problem.X.min(), problem.X.max(), 200)
y = np.linspace(problem.y.min() - 1.0, problem.y.max() + 1.0, 1201)

# %%
# The true standard deviation by quadrature of the known density, and the model's, which is exact for its
# mixture.

density = np.exp(problem.log_density(np.repeat(x, y.size), np.tile(y, x.size))).reshape(x.size, y.size)
mean = np.trapezoid(y * density, y, axis=1)
truth = np.sqrt(np.trapezoid((y - mean[:, None]) ** 2 * density, y, axis=1))
dist = model.predict_dist(x[:, None])

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6))
axes[0].plot(problem.X, problem.y, ".", color="0.75", ms=2)
low, high = dist.interval(0.9).T
axes[0].fill_between(x, low, high, color="C0", alpha=0.3, lw=0)
axes[0].set(xlabel="x", ylabel="y", title="data and the 90 % interval")
axes[1].plot(x, truth, color="black", label="truth")
axes[1].plot(x, dist.std(), color="C0", label="model")
axes[1].set(xlabel="x", title="standard deviation of y given x", ylim=(0, None))
axes[1].legend(frameon=False)
plt.show()

# %%
# The distance from the truth in nats: the mean log density of the true model minus that of the fitted one, on
# new rows.

new = make_noisy_wave(20_000, random_state=1)
gap = np.mean(problem.log_density(new.X, new.y)) - model.score(new.X, new.y)
print(f"{gap:.4f} nats a row from the truth")
