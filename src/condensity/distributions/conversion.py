"""Components of a distribution as objects of pandas and scipy."""

from typing import TYPE_CHECKING, Any

import numpy as np

from condensity.distributions.formulas import ComponentSummary

if TYPE_CHECKING:  # optional, never required
    from pandas import DataFrame


def to_frame(summary: ComponentSummary, output_names: list[str] | None, columns: tuple[str, str]) -> "DataFrame":
    """Table of a summary of components; columns are the words for centers and widths, output_names those of q outputs or None."""
    try:
        import pandas  # optional, never required
    except ImportError as error:
        raise ImportError("to_frame needs pandas; install it with `pip install pandas`.") from error
    weights, centers, widths = summary
    places: np.ndarray = np.indices(centers.shape)
    table = {"row": places[0], "component": places[1]}
    if centers.ndim > 2:
        table["output"] = np.array(output_names or range(centers.shape[2]))[places[2]]
        weights = np.broadcast_to(weights[:, :, None], centers.shape)
    table |= {"weight": weights, columns[0]: centers, columns[1]: widths}
    return pandas.DataFrame({name: np.asarray(values).ravel() for name, values in table.items()})


def to_scipy(summary: ComponentSummary) -> Any:
    """First row of a summary of normal components over one output as a `scipy.stats.Mixture`; see `Distribution.to_scipy`."""
    try:
        from scipy.stats import Mixture as ScipyMixture
        from scipy.stats import Normal
    except ImportError as error:
        raise ImportError("to_scipy needs scipy >= 1.15; install it with `pip install -U scipy`.") from error
    weights, means, scales = (part[0] for part in summary)
    present = weights > 0
    components = [Normal(mu=mean, sigma=scale) for mean, scale in zip(means[present], scales[present], strict=True)]
    return ScipyMixture(components, weights=weights[present])
