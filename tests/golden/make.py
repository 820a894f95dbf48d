"""Make the golden files of a new format version: `python tests/golden/make.py`. Earlier ones stay as they are."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from condensity import JointGMMRegressor, MDNRegressor
from condensity.persistence import FORMAT_VERSION

MODELS = {
    "mdn": MDNRegressor(2, hidden_layer_sizes=(6,), n_members=2, numeric_encoding=None, max_iter=20, random_state=0),
    "mdn-gmm": MDNRegressor(
        2, hidden_layer_sizes=(6,), init="gmm", numeric_encoding="piecewise", max_iter=20, random_state=0
    ),
    "joint": JointGMMRegressor(3, random_state=0),
}


def main():
    """Write one file a model, and what it predicts."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=120), "kind": pd.Categorical(rng.choice(["a", "b", "c"], 120))})
    table["gaps"] = np.where(rng.random(120) < 0.2, np.nan, table["x"] ** 2)
    y = table["x"] + (table["kind"] == "b") + 0.3 * rng.normal(size=120)
    some = table.iloc[:8]
    for name, model in MODELS.items():
        path = Path(__file__).parent / f"v{FORMAT_VERSION}-{name}.condensity"
        model.fit(table, y.rename("price")).save(path)
        facts = {
            "X": {column: [None if pd.isna(v) else v for v in some[column]] for column in some},
            "quantiles": model.predict_quantiles(some, [0.1, 0.5, 0.9]).tolist(),
            "support": model.support(some).tolist(),
            "outcome": model.outcome_,
        }
        path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
