"""A `Mixture` in the words of other libraries."""

import numpy as np


def to_frame(dist):
    """See `Mixture.to_frame`."""
    try:
        import pandas  # optional, never required
    except ImportError as error:
        raise ImportError("to_frame needs pandas; install it with `pip install pandas`.") from error
    places = np.indices(dist.means.shape)
    columns = {"row": places[0], "component": places[1]}
    weights = dist.weights
    if dist.n_outputs > 1:
        labels = np.array(dist.output_names or range(dist.n_outputs))
        columns["output"] = labels[places[2]]
        weights = np.broadcast_to(weights[:, :, None], dist.means.shape)
    columns |= {"weight": weights, "mean": dist.means, "scale": dist.scales}
    return pandas.DataFrame({name: np.asarray(values).ravel() for name, values in columns.items()})


def to_scipy(dist):
    """The first row of a mixture over one output as a `scipy.stats.Mixture`; see `Mixture.to_scipy`."""
    try:
        from scipy.stats import Mixture as ScipyMixture
        from scipy.stats import Normal
    except ImportError as error:
        raise ImportError("to_scipy needs scipy >= 1.15; install it with `pip install -U scipy`.") from error
    weights = dist.weights[0]
    present = weights > 0
    components = [
        Normal(mu=mean, sigma=scale)
        for mean, scale in zip(dist.means[0, present], dist.scales[0, present], strict=True)
    ]
    return ScipyMixture(components, weights=weights[present])
