"""Values as trees and back: to the bit, of known types alone, and never more than what was packed."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from condensity.persistence import ModelFileError, pack, unpack


class Pair(NamedTuple):
    left: Any
    right: Any = None


@dataclass(frozen=True)
class Checked:
    size: int
    values: Any

    def check_loaded(self):
        if len(self.values) != self.size:
            raise ValueError("sizes differ")


REGISTRY = {"Pair": Pair, "Checked": Checked}


def there_and_back(value):
    tree, tensors = pack(value, REGISTRY)
    return unpack(json.loads(json.dumps(tree, allow_nan=False)), tensors, REGISTRY)


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float) and isinstance(b, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes() or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), texts, st.binary(max_size=5)
)  # fmt: skip
dtypes = st.sampled_from([np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_])
leaves = scalars | arrays.arrays(dtypes, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
keys = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=3), st.integers(), st.sampled_from(["$class", "$"])
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=12,
)


@given(values)
def test_values_come_back_to_the_bit(value):
    assert same(value, there_and_back(value))


def test_numpy_scalars_paths_and_arrays_of_text_become_what_they_mean():
    assert there_and_back([np.float64(1.5), np.int32(3), np.bool_(True), Path("a") / "b"]) == [
        1.5,
        3,
        True,
        str(Path("a") / "b"),
    ]
    for array in (np.array(["a", "bc"]), np.array([["a", None], [1.5, "d"]], dtype=object)):
        back = there_and_back(array)
        assert back.dtype == object
        assert back.tolist() == array.tolist()


def test_an_array_is_kept_once_however_often_it_is_named():
    array = np.arange(3.0)
    tree, tensors = pack([array, {"again": array}, array.copy()], REGISTRY)
    assert len(tensors) == 2
    back = unpack(tree, tensors, REGISTRY)
    assert back[0] is back[1]["again"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [lambda: 0]}, r"model\['a'\]\[0\] is a function, and a file holds no code"),
        (Pair(object()), r"model\.left is of type object"),
        (np.zeros(2, dtype=complex), "array of complex128"),
        ("\ud800", "surrogate"),
        ({1, 2}, "of type set"),
    ],
)
def test_what_cannot_be_saved_is_named_with_its_place(value, words):
    with pytest.raises(TypeError, match=words):
        pack(value, REGISTRY)


def nested(depth):
    tree = 1
    for _ in range(depth):
        tree = [tree]
    return tree


@pytest.mark.trap(49)
@pytest.mark.parametrize(
    "tree",
    [
        {"$tensor": "t9"},
        {"$tensor": ["t0"]},
        {"$tensor": "t0", "more": 1},
        {"$float": "12"},
        {"$float": [1]},
        {"$tuple": 3},
        {"$pairs": [[1]]},
        {"$pairs": [[[1], 2]]},
        {"$objects": [1, 2], "shape": [3]},
        {"$objects": [[1]], "shape": [1]},
        {"$objects": [1], "shape": "x"},
        {"$objects": [1], "shape": [1, 1, 1]},
        {"$bytes": "t0"},
        {"$class": "os.system", "fields": {}},
        {"$class": "Pair", "fields": {"left": 1, "middle": 2}},
        {"$class": "Pair", "fields": {"right": 2}},
        {"$class": "Pair", "fields": [1]},
        {"$class": ["Pair"], "fields": {}},
        {"$class": "Checked", "fields": {"size": 2, "values": [1]}},
        {"$class": "Checked", "fields": {"size": 2, "values": None}},
        {"$class": "Pair"},
        {"$value_of": 1},
        {"$nothing": 1},
        nested(100),
    ],
    ids=lambda tree: json.dumps(tree)[:50],
)
def test_trees_that_pack_cannot_have_made_are_refused(tree):
    with pytest.raises(ModelFileError):
        unpack(tree, {"t0": np.zeros(2)}, REGISTRY)


def test_a_field_that_older_files_lack_takes_its_default():
    assert unpack({"$class": "Pair", "fields": {"left": 1}}, {}, REGISTRY) == Pair(1, None)
