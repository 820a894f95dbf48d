"""Hyper-parameters of the network of Warmerdam's *Feed Forward Posteriors* (2017)."""

from typing import Any

#: Strength of the regularised variant's L2. The post gives no number; this one is large enough to be seen in its figures.
BLOG_L2 = 1e-3

#: Those that differ from the defaults.
BLOG: dict[str, Any] = {
    "n_components": 10,
    "hidden_layer_sizes": (25, 10),
    "activation": "tanh",
    "solver": "rmsprop",
    "learning_rate_init": 0.01,
    "batch_size": "full",
    "max_iter": 2000,
    "early_stopping": False,
    "weight_decay": 0.0,
    "scale_prior": 0.0,
    "scale_bounds": None,
    "numeric_encoding": None,
    "init": "xavier",
    "refit": False,
    "support_model": None,
    "fallback": None,
}
