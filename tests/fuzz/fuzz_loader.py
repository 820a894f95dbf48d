"""Coverage-guided fuzzing of the loader: whatever the bytes, a model or a `ModelFileError`.

    python -m pip install atheris
    python tests/fuzz/fuzz_loader.py -runs=1000000 -seed=1 -rss_limit_mb=2048 -timeout=20 -max_len=16384

Three ways in, by the first byte: the file as it is; a manifest as it is, in a file whose checksum is right; and a real model of
which some nodes and tensors are replaced, in a file whose checksum is right.
"""

import contextlib
import copy
import inspect
import json
import sys
from pathlib import Path

import atheris
import numpy as np
from safetensors.numpy import save

from condensity.data import schema
from condensity.em import steps
from condensity.estimators import base, loading  # noqa: F401  (registers what files hold)
from condensity.models import mdn
from condensity.persistence import ModelFileError, codec, container, models
from condensity.persistence.models import restore

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.condensity"))
SEEDS = [container.read(path) for path in GOLDEN]
VALUES = [
    None, True, -1, 0, 1, 2**31, 2**63, 2**70, 1e308, "", "text", "auto", [], {}, [[]], {"$tensor": "t0"}, {"$tensor": "t1"},
    {"$tuple": []}, {"$tuple": [1, 2]}, {"$float": "nan"}, {"$float": "inf"}, {"$pairs": [["a", 1]]}, {"$bytes": "t0"},
    {"$objects": ["a"], "shape": [1]}, {"$class": "Standardizer", "fields": {}}, {"$class": "Form", "fields": {}},
]  # fmt: skip
DTYPES = ["float64", "float32", "int64", "int32", "uint8", "bool"]


def sealed(text, tensors):
    """A file whose checksum is right."""
    return save(tensors, metadata={"condensity": f"{container._digest(text, tensors)}\n{text}"})


def places(tree, path=()):
    """Paths to all nodes of a tree."""
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


PLACES = [list(places(manifest)) for manifest, _ in SEEDS]


def replaced(data):
    """A real model with some parts replaced."""
    which = data.ConsumeIntInRange(0, len(SEEDS) - 1)
    manifest, tensors = json.loads(json.dumps(SEEDS[which][0])), dict(SEEDS[which][1])
    for _ in range(data.ConsumeIntInRange(0, 3)):
        *path, last = PLACES[which][data.ConsumeIntInRange(1, len(PLACES[which]) - 1)]
        node = manifest
        try:
            for key in path:
                node = node[key]
            if data.ConsumeBool():
                node[last] = copy.deepcopy(VALUES[data.ConsumeIntInRange(0, len(VALUES) - 1)])
            elif isinstance(node, dict):
                node.pop(last)
        except (KeyError, IndexError, TypeError):
            continue  # what lay on the way was replaced before
    for _ in range(data.ConsumeIntInRange(0, 2)):
        name = f"t{data.ConsumeIntInRange(0, len(tensors))}"
        size = [data.ConsumeIntInRange(0, 6) for _ in range(data.ConsumeIntInRange(0, 3))]
        fill = data.ConsumeIntInRange(-3, 3) if data.ConsumeBool() else 0
        tensors[name] = np.full(size, fill, dtype="float64").astype(DTYPES[data.ConsumeIntInRange(0, 5)])
    return sealed(json.dumps(manifest), tensors)


@atheris.instrument_func
def try_one(content):
    """One case."""
    way, content = content[:1], content[1:]
    if way < b"\x40":
        pass
    elif way < b"\x80":
        text = content.decode("utf-8", "replace")
        content = sealed(text, SEEDS[0][1])
    else:
        content = replaced(atheris.FuzzedDataProvider(content))
    with contextlib.suppress(ModelFileError):
        restore(*container.parse(content))


def instrument(module):
    """Count the branches of a module's functions; a hook on imports does not see editable installs."""
    for _, thing in inspect.getmembers(module):
        if inspect.isfunction(thing) and thing.__module__ == module.__name__:
            atheris.instrument_func(thing)
        if inspect.isclass(thing) and thing.__module__ == module.__name__:
            for _, method in inspect.getmembers(thing, inspect.isfunction):
                if method.__module__ == module.__name__ and hasattr(method, "__code__"):
                    atheris.instrument_func(method)


def main():
    """Write the seeds as a corpus, and run."""
    corpus = Path(sys.argv.pop(1)) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
    if corpus is not None:
        corpus.mkdir(exist_ok=True)
        for number, (path, (manifest, _)) in enumerate(zip(GOLDEN, SEEDS, strict=True)):
            (corpus / f"file{number}").write_bytes(b"\x00" + path.read_bytes())
            (corpus / f"text{number}").write_bytes(b"\x40" + json.dumps(manifest).encode())
            (corpus / f"tree{number}").write_bytes(b"\xff" + bytes(range(number, number + 64)))
        sys.argv.append(str(corpus))
    np.seterr(all="ignore")
    for module in (container, codec, models, base, schema, steps, mdn):
        instrument(module)
    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
