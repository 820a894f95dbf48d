"""
The founding post, retold
=========================

This library grew from Vincent Warmerdam's blog post *Feed Forward Posteriors* (2017). It built a network
whose outputs are a mixture of normals, fitted it to four odd data sets, drew five charts, and said openly
what was weak. Here are its data and its network, each weakness, and what became of it.

The network of the post: two layers of tanh, then μ, σ = exp(·) and π = softmax(·), trained by maximum
likelihood with all rows at once for 2000 steps. ``MDNRegressor.from_blog()`` is this network; the only change
is the normal density, whose constant the post had wrong.
"""

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np

from condensity import JointGMMRegressor, MDNRegressor
from condensity.datasets.synthetic import ODD_SETS
from condensity.plots import data_panel, means_panel, samples_panel, scales_panel, weights_panel

N = 1000
problems = {name: make(N, random_state=0) for name, make in ODD_SETS.items()}
fresh = {name: make(5000, random_state=1) for name, make in ODD_SETS.items()}


def fit(make_model):
    """One model for each of the four sets, and the seconds that it took on average."""
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the network of the post warns that it has not converged: that is the point
        models = {name: make_model().fit(problem.X, problem.y) for name, problem in problems.items()}
    return models, (time.perf_counter() - start) / len(problems)


kinds = {
    "the post's network": lambda: MDNRegressor.from_blog(random_state=0),
    "the post's joint mixture": lambda: JointGMMRegressor(40, fallback=None, random_state=0),
    "MDNRegressor()": lambda: MDNRegressor(random_state=0),
    "JointGMMRegressor()": lambda: JointGMMRegressor(random_state=0),
}
fitted = {kind: fit(make_model) for kind, make_model in kinds.items()}

# %%
# Four odd data sets
# ------------------
#
# The mean log density that each model misses of the truth on 5000 new rows, in nats: 0 would be perfect.

print(f"{'':26}" + "".join(f"{name:>16}" for name in problems) + f"{'seconds a fit':>16}")
for kind, (models, seconds) in fitted.items():
    missed = [np.mean(new.log_density(new.X, new.y)) - models[name].score(new.X, new.y) for name, new in fresh.items()]
    print(f"{kind:26}" + "".join(f"{value:16.3f}" for value in missed) + f"{seconds:16.2f}")

# %%
# Five charts
# -----------
#
# Data, draws from p(y | x), and μ(x), π(x), σ(x) of each component, on the inverse wave: first the network of
# the post, then ours.

name = "inverse wave"
problem = problems[name]
fig, axes = plt.subplots(2, 5, figsize=(13, 5))
for row, kind in zip(axes, ("the post's network", "MDNRegressor()"), strict=True):
    model = fitted[kind][0][name]
    data_panel(problem.X, problem.y, ax=row[0])
    samples_panel(model, problem.X, problem.y, ax=row[1])
    means_panel(model, problem.X, problem.y, ax=row[2])
    weights_panel(model, problem.X, ax=row[3])
    scales_panel(model, problem.X, problem.y, ax=row[4])
    row[0].set_ylabel(kind)
fig.tight_layout()
plt.show()

# %%
# 1. "σ spikes to absurd heights"
# -------------------------------
#
# A component that is not used gets no gradient, so its σ drifts. A prior on every σ, whatever its weight, keeps
# it: the largest σ of any component within the range of the data, in units of the standard deviation of y.

for kind in ("the post's network", "MDNRegressor()"):
    largest = []
    for name, model in fitted[kind][0].items():
        x = np.linspace(problems[name].X.min(), problems[name].X.max(), 2001)[:, None]
        largest.append(model.predict_dist(x).scales.max() / problems[name].y.std())
    print(f"{kind:26}" + "".join(f"{value:12.3g}" for value in largest))

# %%
# 2. "It samples where there is no data"
# --------------------------------------
#
# Σπ(x) = 1 everywhere. The post imagined a sigmoid beside the softmax; here the density of the inputs is that
# gate, and Σπ(x) falls to 0 away from the data.

model = fitted["MDNRegressor()"][0]["cross"]
x = np.array([[0.0], [2.0], [4.0], [8.0]])
print("total probability at x = 0, 2, 4, 8:", model.predict_dist(x, outside="deficient").mass.round(3))

# %%
# 3. "Training is slow, and needs care to see that it converged"
# --------------------------------------------------------------
#
# The seconds are in the table above. How a fit ended is a sentence:

print(fitted["MDNRegressor()"][0]["cross"].outcome_)

# %%
# 4. "Choosing K is tricky"
# -------------------------
#
# The joint mixture chooses it on held-out rows. The network has enough components, and those it does not need
# cost nothing.

print(
    {
        name: model.predict_dist(problems[name].X[:1]).n_components
        for name, model in fitted["JointGMMRegressor()"][0].items()
    }
)

# %%
# 5. "No likelihood p(x, y), no inference from y to x"
# ----------------------------------------------------
#
# Both models have both.

problem, model = problems["inverse wave"], fitted["MDNRegressor()"][0]["inverse wave"]
print("log p(x, y) of three rows:", model.score_joint(problem.X[:3], problem.y[:3]).round(2))
print("where y = 0, x is near", model.predict_inputs([0.0]).modes()[0].round(2).ravel())

# %%
# 6. "Several outputs need covariances"
# -------------------------------------
#
# They have them: see :ref:`sphx_glr_gallery_plot_07_several_outputs.py`.
#
# 7. "Jitter where the truth is smooth"
# -------------------------------------
#
# The root mean square of the second difference of the mean over 400 points, on the noisy wave; the true mean is
# sin 2x.

x = np.linspace(-2.5, 2.5, 400)[:, None]
for kind in ("the post's network", "the post's joint mixture", "MDNRegressor()"):
    wiggle = np.sqrt(np.mean(np.diff(fitted[kind][0]["noisy wave"].predict(x), 2) ** 2)) * 80**2
    print(f"{kind:26} {wiggle:6.2f}")
print(f"{'truth':26} {np.sqrt(np.mean(np.diff(np.sin(2 * x[:, 0]), 2) ** 2)) * 80**2:6.2f}")
