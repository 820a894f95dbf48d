"""Fitted models as ONNX graphs: features in, the mixture out. Needs the extra [onnx].

A graph repeats in float64 the encoders of `data`, the forward pass of a network, conditioning as in `em`, and p-values as in
`support`.
"""

import json
import os
from typing import Any

from sklearn.utils.validation import check_is_fitted

from condensity import persistence
from condensity.data.encoders import InputEncoder
from condensity.data.schema import MISSING
from condensity.export.graph import Graph
from condensity.export.inputs import model_inputs, standardised
from condensity.export.models import components
from condensity.export.outputs import describe_mixture, describe_support, mean_formula
from condensity.fallback import guarded
from condensity.support import SupportModel


def to_onnx(model: Any, path: str | os.PathLike[str] | None = None) -> Any:
    """Export a fitted model.

    Inputs are 'X', float64 (n, columns of numbers, in their order), and for each category a tensor of strings (n,) by its name,
    '' where it is missing. Outputs, for n rows, K components and q outputs, in data units and float64:

    * log_weights (n, K), means (n, K, q);
    * scales (n, K, q), standard deviations, or where the outputs of a component depend on each other
      factors (n, K, q, q), lower Cholesky factors of the covariances;
    * mean (n, q);
    * support (n,), the p-values of `support`, where the model has them.

    With y_transform, all but mean are of u = t(y). A level that the fit did not have is an average one. Missing values
    are not integrated out of a joint mixture here: NaN in, NaN out.

    Parameters
    ----------
    model : fitted MDNRegressor or JointGMMRegressor
    path : path-like, optional
        File to write, atomically.

    Returns
    -------
    onnx.ModelProto
        Its metadata name the outputs and list the levels of categories.

    Raises
    ------
    ModuleNotFoundError
        Without the package onnx.
    ValueError
        For transforms of y other than 'log' and 'logit'.
    TypeError
        For other models.

    Examples
    --------
    >>> from condensity import JointGMMRegressor
    >>> from condensity.datasets.synthetic import make_cross
    >>> from condensity.export import to_onnx
    >>> problem = make_cross(200, random_state=0)
    >>> graph = to_onnx(JointGMMRegressor(3, random_state=0).fit(problem.X, problem.y)).graph
    >>> [each.name for each in graph.output]
    ['log_weights', 'means', 'scales', 'mean', 'support']
    """
    import onnx

    check_is_fitted(model)
    mean_formula(model.target_)  # refused before anything is built
    graph = Graph()
    inputs = model_inputs(graph, model.encoder_)
    z = standardised(graph, inputs, model.encoder_)
    describe_mixture(graph, model.target_, components(guarded(model.model_, model.fallback_), graph, z))
    if isinstance(model.support_, SupportModel):
        describe_support(graph, model.support_, model.encoder_, inputs, z)
    proto = graph.model({"condensity": json.dumps(_metadata(model, model.encoder_))})
    onnx.checker.check_model(proto)
    if path is not None:
        persistence.write_atomically(persistence.check_writable(path), proto.SerializeToString())
    return proto


def _metadata(model: Any, encoder: InputEncoder) -> dict[str, Any]:
    """Names and levels that a caller needs for the inputs and outputs."""
    names = encoder.schema.feature_names
    categories = {
        names[each.column]: [level for level in each.levels if level != MISSING] for each in encoder.schema.categories
    }
    transform = model.target_.transform
    return {
        "model": type(model).__name__,
        "numbers": [name for name in names if name not in categories],
        "categories": categories,
        "outputs": model.target_names_,
        "y_transform": None if transform is None else transform.name,
    }
