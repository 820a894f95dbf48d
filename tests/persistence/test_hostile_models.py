"""Model files with a right checksum and hostile content: refused or harmless, in little time and memory."""

import copy
import os
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

import structural

from condensity import load
from condensity.persistence import ModelFileError, container, require_positions
from condensity.persistence.annotations import matches

GOLDEN = {path.stem: container.read(path) for path in structural.GOLDEN}


def fields_of(tree, name):
    """Fields of the first node of a class in a manifest."""
    if isinstance(tree, dict) and tree.get("$class") == name:
        return tree["fields"]
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    return next((found for child in children if (found := fields_of(child, name)) is not None), None)


def file_with(path, change, golden="v1-mdn"):
    """A golden file with something changed, and a right checksum."""
    manifest, tensors = copy.deepcopy(GOLDEN[golden])
    del manifest["format_version"]
    change(manifest["state"], tensors)
    path.write_bytes(container.serialize(manifest, tensors))
    return path


def with_fields(name, **fields):
    return lambda state, tensors: fields_of(state, name).update(fields)


def many_bytes(state, tensors):
    tensors["big"] = np.zeros(400_000, dtype=np.uint8)
    fields_of(state, "FitReport")["candidates"] = [{"a": {"$bytes": "big"}}] * 20_000


def many_covariances(state, tensors):
    tensors["big"] = np.tile(np.eye(40), (40, 1, 1))
    tensors["means"], tensors["weights"] = np.zeros((40, 40)), np.full(40, 1 / 40)
    parts = {"weights": {"$tensor": "weights"}, "means": {"$tensor": "means"}, "covariances": {"$tensor": "big"}}
    mixture = {"$class": "GaussianMixtureParameters", "fields": parts}
    fields_of(state, "FitReport")["candidates"] = [{"a": mixture}] * 5_000


def many_levels(state, tensors):
    levels = {"$tuple": [f"l{i}" for i in range(30_000)]}
    fields_of(state, "Category").update(levels=levels, ordered=False, hashed=False)


def many_tensors(state, tensors):
    tensors.update((f"e{i}", np.zeros(0)) for i in range(2_000))


def many_members(state, tensors):
    fields_of(state, "MDNModel")["gaussian_inits"] = [None] * 200_000


def empty_rows(state, tensors):
    tensors["empty"] = np.zeros((2**14, 0), dtype=np.float32)
    fields_of(state, "Evidence")["x"] = {"$tensor": "empty"}


BLOW_UPS = {
    "a billion columns": with_fields("Schema", n_features=10**9, names=None),
    "one array, 20 000 times as bytes": many_bytes,
    "one mixture, 5000 times": many_covariances,
    "a column for each of 30 000 levels": many_levels,
    "2000 arrays": many_tensors,
    "two hundred thousand members": many_members,
    "a layer of a billion units": with_fields("Network", hidden={"$tuple": [10**9]}),
    "rows without columns": empty_rows,
}


@pytest.mark.trap("T35", 105)
@pytest.mark.parametrize("change", BLOW_UPS)
def test_small_files_are_refused_in_time_and_memory_in_proportion(change, tmp_path):
    path = file_with(tmp_path / "m", BLOW_UPS[change])
    size = path.stat().st_size
    start = time.process_time()
    with pytest.raises(ModelFileError):
        load(path)
    assert time.process_time() - start < 1.0 + 1e-6 * size
    tracemalloc.start()
    with pytest.raises(ModelFileError):
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * size + 2**22


def header_of(entries, body=b""):
    text = ("{" + ",".join(entries) + "}").encode()
    return len(text).to_bytes(8, "little") + text + body


METADATA = '"__metadata__":{"condensity":"x\\n{}"}'


@pytest.mark.trap("T35", 105)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header_of([METADATA, *['"t":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}'] * 20_000], bytes(9)), "twice"),
        (header_of([METADATA, '"t":{"dtype":"U8","shape":[0,4611686018427387904],"data_offsets":[0,0]}']), "damaged"),
        (header_of([METADATA, '"t":{"dtype":"U8","shape":[9],"data_offsets":[0,900]}'], bytes(9)), "size"),
        (header_of([METADATA, '"t":{"dtype":"U8","shape":[9],"data_offsets":"x"}'], bytes(9)), "size"),
        (header_of([METADATA, *(f'"t{i}":1' for i in range(70_000))]), "arrays"),
    ],
)
def test_headers_that_promise_more_than_there_is_are_refused(content, words):
    with pytest.raises(ModelFileError, match=words):
        container.parse(content)


@pytest.mark.trap(105)
def test_a_wide_layer_is_evaluated_in_few_rows_at_a_time(tmp_path):
    width = 150_000

    def widen(state, tensors):
        network, name = fields_of(state, "Network"), fields_of(state, "MDNModel")["parameters"]["$tensor"]
        network["hidden"] = {"$tuple": [width]}
        head = network["n_components"] * 3
        tensors[name] = np.zeros((1, (network["n_inputs"] + 1) * width + (width + 1) * head), dtype=np.float32)

    X = next(iter(structural.seeds_of_golden()))[2]
    model = load(file_with(tmp_path / "m", widen))
    tracemalloc.start()
    model.predict(X.iloc[np.arange(200) % len(X)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 160e6  # 240 MB for the layer of all rows


# ------------------------------------------------------------------------------------------------------ every part
def without(name, field):
    return lambda state, tensors: fields_of(state, name).pop(field)


WRONG_PARTS = {
    "a checkpoint of the file's choice": lambda state, tensors: state["fields"]["params"].update(checkpoint="/tmp/x"),
    "a callback": lambda state, tensors: state["fields"]["params"].update(callback="x"),
    "splits": lambda state, tensors: state["fields"]["params"].update(cv=3),
    "very many threads": lambda state, tensors: state["fields"]["params"].update(n_jobs=10**7),
    "bounds of sigma that are text": with_fields("Network", log_scale_bounds={"$tuple": ["a", "b"]}),
    "bounds of sigma that are huge": with_fields("Network", log_scale_bounds={"$tuple": [0, 10**30]}),
    "true in place of a number": with_fields("Schema", n_features=True),
    "a list in place of a tuple": with_fields("Schema", names=["x", "kind", "gaps"]),
    "the same level twice": with_fields("Category", levels={"$tuple": ["a", "a", "b"]}),
    "a category in no column": with_fields("Category", column=17),
    "a finding without text": with_fields("Finding", text=None),
    "text in the history": with_fields("FitReport", history={"step": ["a"]}),
    "a report without outcome": without("FitReport", "outcome"),
    "a width below zero": with_fields("Network", hidden={"$tuple": [-1]}),
    "half a surrogate pair": with_fields("FitReport", outcome="\ud800"),
    "an unfitted model": lambda state, tensors: [state["fields"].pop(name) for name in list(state["fields"])[1:]],
}


@pytest.mark.trap("T35", 106)
@pytest.mark.parametrize("change", WRONG_PARTS)
def test_every_part_is_checked_when_it_is_loaded(change, tmp_path):
    path = file_with(tmp_path / "m", WRONG_PARTS[change])
    with pytest.raises(ModelFileError):
        load(path)


@pytest.mark.trap(106)
def test_positions_whose_differences_overflow_are_refused():
    for positions in ((1, -(2**63)), (0, 2), (1, 1), (-1, 0), (0.0, 1.0)):
        with pytest.raises(ValueError, match="positions"):
            require_positions("columns", np.array(positions), 2)
    require_positions("columns", np.array([0, 1]), 2)
    require_positions("columns", (), 2)


@pytest.mark.trap(106)
def test_a_state_that_is_no_estimator_is_no_model(tmp_path):
    manifest = {"library_version": "1", "class": "Log", "state": {"$class": "Log", "fields": {}}}
    container.write(tmp_path / "m", manifest, {})
    with pytest.raises(ModelFileError, match="no fitted model"):
        load(tmp_path / "m")


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (1, float, True),
        (True, float, False),
        (1.0, int, False),
        ([1, "a"], list[int], False),
        ({"a": [1]}, dict[str, list[int]], True),
        ({1: [1]}, dict[str, list[int]], False),
        ([], dict[str, int], False),
        ((1, 2), tuple[int], False),
        (np.array(["a"], dtype=object), np.ndarray, False),
        (None, np.ndarray | None, True),
    ],
)
def test_values_are_held_against_annotations(value, annotation, expected):
    assert matches(value, annotation) is expected


@pytest.mark.trap("T35")
def test_mutated_files_are_refused_or_work(tmp_path):
    """The quick sample of tests/fuzz/structural.py, which mutates files of eight models."""
    counts = structural.run(list(structural.seeds_of_golden()), 60, 1, tmp_path / "m")
    assert counts["refused"] > 20
    assert counts["works"] > 5


# ------------------------------------------------------------------------------------------------------ odd paths
@pytest.mark.trap(107)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pipes_devices_and_huge_files_are_refused_before_they_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**33)
    for path, words in ((tmp_path / "pipe", "pipe"), ("/dev/zero", "device"), (tmp_path / "sparse", "bytes")):
        with pytest.raises(ModelFileError, match=words):
            load(path)
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(2**31)
    with pytest.raises(ModelFileError, match="not a model"):
        load(tmp_path / "sparse")
