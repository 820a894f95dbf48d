"""An engine of one's own, in one object: named by an estimator it trains, predicts, draws, and its models are saved."""

import numpy as np
import pytest

import condensity
from condensity import MDNRegressor, engines
from condensity.datasets.synthetic import make_cross
from condensity.engines import ReferenceEngine


class ToyEngine(ReferenceEngine):
    name = "toy"  # the reference, counting its calls

    def __init__(self):
        self.calls = {"train": 0, "predict_network": 0}

    def train(self, *arguments, threads=1):
        self.calls["train"] += 1
        return super().train(*arguments, threads=threads)

    def predict_network(self, *arguments, threads=1):
        self.calls["predict_network"] += 1
        return super().predict_network(*arguments, threads=threads)


@pytest.fixture
def toy():
    yield engines.register(ToyEngine())
    engines.unregister("toy")


def test_a_registered_engine_trains_predicts_draws_and_its_models_are_saved(toy, tmp_path):
    data = make_cross(200, random_state=0)
    settings = {
        "n_components": 3,
        "hidden_layer_sizes": (8,),
        "max_iter": 5,
        "early_stopping": False,
        "fallback": None,
        "random_state": 0,
    }
    model, plain = (MDNRegressor(engine=engine, **settings) for engine in ("toy", "reference"))
    for each in (model, plain):
        with pytest.warns(UserWarning, match="Ran all 5 epochs"):
            each.fit(data.X, data.y)
    assert toy.calls["train"] == 1
    mean, n_predictions = model.predict(data.X), toy.calls["predict_network"]
    np.testing.assert_array_equal(mean, plain.predict(data.X))
    assert np.isfinite(model.sample(data.X[:5], 10, random_state=0)).all()
    loaded = condensity.load(model.save(tmp_path / "toy.condensity"))
    np.testing.assert_array_equal(loaded.predict(data.X), mean)
    assert toy.calls["predict_network"] > n_predictions


def test_names_are_taken_once_and_forgotten_when_asked(toy):
    with pytest.raises(ValueError, match="engine of the name 'toy'"):
        engines.register(ToyEngine())
    with pytest.raises(ValueError, match="'native' is not the name of a registered engine"):
        engines.unregister("native")
