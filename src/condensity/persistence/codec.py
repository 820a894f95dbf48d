"""Python values as a tree of JSON with tensors beside it, and back: a fixed set of types, nothing else.

    None, bool, int, float, str, list       as JSON has them
    dict of str                             a JSON object, if no key begins with $
    long lists of numbers or of text        tensors, so that the JSON stays short: see `MIN_ITEMS_IN_TENSOR`
    everything else                         an object with one key that begins with $: see `pack`

Classes are those of a registry, dataclasses and named tuples. Unpacking holds every field against its annotation, calls the
constructor with the fields by name, and then `check_loaded()`, if there is one, which raises ValueError where the parts do not
fit together. Nothing is allocated that the tensors do not warrant: their names may stand for `MAX_REFERENCES` times their bytes.
"""

import json
import math
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any, NoReturn

import numpy as np
from scipy import special

from condensity.persistence.annotations import require_annotated
from condensity.persistence.container import DTYPES, ModelFileError

#: Values within values, at most.
MAX_DEPTH = 64

#: Lists of as many texts, integers or floats, or more, are tensors.
MIN_ITEMS_IN_TENSOR = 64

#: Bytes that all references to tensors may stand for, in those of the tensors, with this many to spare. A tensor that two parts
#: share is named twice; a thousand names for one large tensor are an attack.
MAX_REFERENCES, SPARE_BYTES = 8, 2**20

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def pack(value: Any, registry: dict[str, type], what: str = "model") -> tuple[Any, dict[str, np.ndarray]]:
    """A value as (tree, tensors).

    Parameters
    ----------
    value : anything that is made of None, bool, int, float, str, bytes, path, list, tuple, dict, array, and registered classes
    registry : dict of str to type
        Dataclasses and named tuples by the name that files know them by.
    what : str
        How errors call it.

    Raises
    ------
    TypeError
        Naming the place of what cannot be saved.
    """
    packer = _Packer(registry)
    return packer.tree_of(value, what), packer.tensors


class _Packer:
    def __init__(self, registry: dict[str, type]) -> None:
        self.names = {cls: name for name, cls in registry.items()}
        self.tensors: dict[str, np.ndarray] = {}
        self.known: dict[int, tuple] = {}  # by identity; the array is held, so that no other gets its id

    def tree_of(self, value: Any, what: str) -> Any:
        """JSON of a value at the place `what`."""
        if isinstance(value, np.generic):
            value = value.item()
        if type(value) in self.names:
            parts = {name: self.tree_of(part, f"{what}.{name}") for name, part in state_of(value).items()}
            return {"$class": self.names[type(value)], "fields": parts}
        if value is None or type(value) in (bool, int):
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": str(value)}
        if isinstance(value, (str, PurePath)):
            return self._text(str(value), what)
        if isinstance(value, (bytes, bytearray)):
            return {"$bytes": self._tensor(np.frombuffer(bytes(value), dtype=np.uint8))}
        if isinstance(value, np.ndarray):
            return self._array(value, what)
        if type(value) in (list, tuple):
            items = self._items(value, what)
            return items if isinstance(value, list) else {"$tuple": items}
        if type(value) is dict:
            return self._dict(value, what)
        name = name_of_ufunc(value)
        if name is not None:
            return {"$ufunc": name}
        if callable(value):
            raise TypeError(
                f"{what} is a function, and a file holds no code; use ufuncs of NumPy or SciPy, a name such as 'log1p', or a "
                "class of your own that is registered by condensity.persistence.saveable, or pickle the model."
            )
        raise TypeError(
            f"{what} is of type {type(value).__name__}, which cannot be saved; pickle the model, or set it to None."
        )

    def _items(self, items: Any, what: str) -> Any:
        """A list (n,), as a tensor if it is long and of one kind."""
        kinds = set(map(type, items)) if len(items) >= MIN_ITEMS_IN_TENSOR else set()
        if kinds == {str}:
            texts = json.dumps([self._text(text, what) for text in items], ensure_ascii=False)
            return {"$texts": self._tensor(np.frombuffer(texts.encode(), dtype=np.uint8))}
        if kinds == {float} or (kinds == {int} and max(map(abs, items)) < 2**63):
            return {"$numbers": self._tensor(np.array(items))}
        return [self.tree_of(item, f"{what}[{i}]") for i, item in enumerate(items)]

    def _text(self, text: str, what: str) -> str:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise TypeError(f"{what} is text with half a surrogate pair ({text!r}), which cannot be saved.") from None
        return text

    def _dict(self, value: dict[Any, Any], what: str) -> dict[str, Any]:
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {self._text(key, what): self.tree_of(item, f"{what}[{key!r}]") for key, item in value.items()}
        pairs = [[self.tree_of(key, what), self.tree_of(item, f"{what}[{key!r}]")] for key, item in value.items()]
        return {"$pairs": pairs}

    def _array(self, array: np.ndarray, what: str) -> dict[str, Any]:
        if array.dtype.kind in "OU":
            return {"$objects": self._items(array.ravel().tolist(), what), "shape": list(array.shape)}
        if array.dtype.name not in DTYPES:
            raise TypeError(
                f"{what} is an array of {array.dtype.name}, which cannot be saved; only {', '.join(DTYPES)}."
            )
        return {"$tensor": self._tensor(array)}

    def _tensor(self, array: np.ndarray) -> str:
        if id(array) not in self.known:
            self.known[id(array)] = (f"t{len(self.tensors)}", array)
            self.tensors[self.known[id(array)][0]] = array
        return self.known[id(array)][0]


#: Where functions of one number lie that files may name: they do nothing but compute, element by element.
_UFUNC_MODULES = {"numpy": np, "scipy.special": special}


def name_of_ufunc(value: Any) -> str | None:
    """Name by which files know a value that is a ufunc of one argument and one result, as "numpy.log1p"; None for others."""
    if not isinstance(value, np.ufunc) or (value.nin, value.nout) != (1, 1):
        return None
    name: str = value.__name__
    packages = (package for package, module in _UFUNC_MODULES.items() if getattr(module, name, None) is value)
    return next((f"{package}.{name}" for package in packages), None)


def state_of(value: Any) -> dict[str, Any]:
    """State of a value, an instance of a registered class: that of its `saved_state`, else its fields."""
    if hasattr(value, "saved_state"):
        return value.saved_state()
    return {name: getattr(value, name) for name in field_names(type(value))}


def field_names(cls: type) -> list[str]:
    """Fields of a registered dataclass or named tuple, which its constructor takes by name."""
    if is_dataclass(cls):
        return [each.name for each in fields(cls) if each.init]
    return list(getattr(cls, "_fields"))  # noqa: B009  (a named tuple)


def unpack(tree: Any, tensors: dict[str, np.ndarray], registry: dict[str, type]) -> Any:
    """The value that was packed as a tree and tensors, arrays of any shape (a, b, …) by name, with the classes of a registry.

    Raises
    ------
    ModelFileError
        For whatever `pack` cannot have made, tensors that nothing refers to among it.
    """
    unpacker = _Unpacker(tensors, registry)
    try:
        with np.errstate(all="ignore"):
            value = unpacker.value_of(tree, 0)
    except RecursionError:
        _refuse("its values are nested too deeply")
    if set(tensors) - unpacker.used:
        _refuse("it holds numbers that no part of it refers to")
    return value


class _Unpacker:
    def __init__(self, tensors: dict[str, np.ndarray], registry: dict[str, type]) -> None:
        self.tensors, self.registry, self.used = tensors, registry, set[str]()
        self.bytes_left = MAX_REFERENCES * sum(array.nbytes for array in tensors.values()) + SPARE_BYTES

    def value_of(self, node: Any, depth: int) -> Any:
        """The value of a node."""
        if depth > MAX_DEPTH:
            _refuse("its values are nested too deeply")
        if isinstance(node, list):
            return [self.value_of(item, depth + 1) for item in node]
        if not isinstance(node, dict):
            return self._scalar(node)
        tags = [key for key in node if key.startswith("$")]
        if not tags:
            for key in node:
                _require_text(key)
            return {key: self.value_of(item, depth + 1) for key, item in node.items()}
        read = getattr(self, f"_{tags[0][1:]}", None) if tags[0] in _TAGS else None
        if read is None or set(node) != _TAGS[tags[0]]:
            _refuse(f"it holds something of an unknown kind, {tags[0][:20]!r}")
        return read(node, depth)

    def _scalar(self, value: Any) -> Any:
        """A leaf of the JSON, whose numbers are finite and whose text is Unicode."""
        if isinstance(value, float) and not math.isfinite(value):
            _refuse("it holds a number beyond the range of numbers")
        if isinstance(value, str):
            _require_text(value)
        return value

    def _float(self, node: dict[str, Any], _: int) -> float:
        if node["$float"] not in ("nan", "inf", "-inf"):
            _refuse("it holds a number that is none")
        return _NON_FINITE[node["$float"]]

    def _tuple(self, node: dict[str, Any], depth: int) -> tuple[Any, ...]:
        return tuple(self._items(node["$tuple"], depth))

    def _ufunc(self, node: dict[str, Any], _: int) -> np.ufunc:
        package, name = str(node["$ufunc"]).rpartition(".")[::2]
        function: Any = getattr(_UFUNC_MODULES.get(package), name, None)
        if name_of_ufunc(function) != node["$ufunc"]:
            _refuse("it holds a function that is none of NumPy's or SciPy's")
        return function

    def _pairs(self, node: dict[str, Any], depth: int) -> dict[Any, Any]:
        pairs = self._items(node["$pairs"], depth)
        if not all(isinstance(pair, list) and len(pair) == 2 and _is_key(pair[0]) for pair in pairs):
            _refuse("it holds a table without keys")
        return dict(pairs)

    def _objects(self, node: dict[str, Any], depth: int) -> np.ndarray:
        items, shape = self._items(node["$objects"], depth), node["shape"]
        if not (isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)):
            _refuse("it holds an array without a shape")
        if math.prod(shape) != len(items) or len(shape) > 2 or not all(_is_key(item) for item in items):
            _refuse("it holds an array that does not have its shape")
        array = np.empty(len(items), dtype=object)
        for i, item in enumerate(items):  # a tuple stays one item
            array[i] = item
        return array.reshape(shape)

    def _tensor(self, node: dict[str, Any], _: int) -> np.ndarray:
        name = node["$tensor"]
        if not isinstance(name, str) or name not in self.tensors:
            _refuse("it lacks a tensor")
        self.used.add(name)
        self.bytes_left -= self.tensors[name].nbytes
        if self.bytes_left < 0:
            _refuse("it names its numbers too often")
        return self.tensors[name]

    def _numbers(self, node: dict[str, Any], _: int) -> list[Any]:
        array = self._tensor({"$tensor": node["$numbers"]}, 0)
        if array.ndim != 1 or array.dtype not in (np.float64, np.int64):
            _refuse("it holds a list of numbers that is none")
        return array.tolist()

    def _texts(self, node: dict[str, Any], _: int) -> list[str]:
        try:
            texts = json.loads(self._bytes({"$bytes": node["$texts"]}, 0))
        except (ValueError, RecursionError):
            texts = None
        if not isinstance(texts, list) or not all(type(text) is str for text in texts):
            _refuse("it holds a list of texts that is none")
        for text in texts:
            _require_text(text)
        return texts

    def _bytes(self, node: dict[str, Any], _: int) -> bytes:
        array = self._tensor({"$tensor": node["$bytes"]}, 0)
        if array.dtype != np.uint8 or array.ndim != 1:
            _refuse("it holds bytes that are none")
        return array.tobytes()

    def _class(self, node: dict[str, Any], depth: int) -> Any:
        name, parts = node["$class"], node["fields"]
        if not isinstance(name, str) or name not in self.registry or not isinstance(parts, dict):
            _refuse(f"it holds a {str(name)[:40]!r}, which this version does not know")
        cls: Any = self.registry[name]
        explicit = hasattr(cls, "from_saved_state")
        unknown = set() if explicit else set(parts) - set(field_names(cls))
        if unknown:
            _refuse(f"its {name} has a field {min(unknown)[:40]!r}, which this version does not know")
        values = {key: self.value_of(item, depth + 1) for key, item in parts.items()}
        try:
            if is_dataclass(cls) or hasattr(cls, "_fields"):  # the state of others is not their fields
                require_annotated(cls, values)
            made = cls.from_saved_state(**values) if explicit else cls(**values)
            if hasattr(made, "check_loaded"):
                made.check_loaded()
        except ModelFileError:
            raise
        except _DAMAGE as error:
            _refuse(f"its {name} does not fit together ({' '.join(str(error).split())[:100]})")
        return made

    def _items(self, items: Any, depth: int) -> list[Any]:
        value = self.value_of(items, depth + 1)
        if not isinstance(value, list):
            _refuse("it holds a list that is none")
        return value


#: Errors that constructors and checks raise for numbers that no fit can have made.
_DAMAGE = (TypeError, ValueError, AttributeError, IndexError, KeyError, ArithmeticError, MemoryError)

#: Keys of every tagged node.
_TAGS = {
    "$float": {"$float"},
    "$tuple": {"$tuple"},
    "$pairs": {"$pairs"},
    "$objects": {"$objects", "shape"},
    "$tensor": {"$tensor"},
    "$numbers": {"$numbers"},
    "$texts": {"$texts"},
    "$bytes": {"$bytes"},
    "$ufunc": {"$ufunc"},
    "$class": {"$class", "fields"},
}


def _require_text(text: str) -> None:
    if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
        _refuse("it holds text with half a surrogate pair")


def _is_key(value: Any) -> bool:
    return (
        value is None or isinstance(value, (str, int, float)) or (isinstance(value, tuple) and all(map(_is_key, value)))
    )


def _refuse(why: str) -> NoReturn:
    raise ModelFileError(f"it is damaged or no model: {why}.")
