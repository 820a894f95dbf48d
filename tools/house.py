"""The house rules in numbers: coupling, size, annotations and docstrings of a source tree, or of several side by side.

    python tools/house.py src/condensity [OTHER/src/condensity ...]

Nothing is imported; the trees are parsed. What is counted:

* private attributes across modules: `thing._name`, where thing is not self or cls and the module does not define `_name`; and
  `from package.module import _name` within the package;
* imports of `reference` by files outside the folder that holds it;
* methods of a class: those in its own body, the special ones too;
* lines of a function: from `def` to its end, with its docstring;
* arguments: of every function but lambdas, without self and cls;
* public docstrings that give their arguments: of public functions and classes with arguments, those that name every argument, and
  the shape, such as (n, K), of every one that is annotated or described as an array. Units are for the reader to check;
* examples: public objects whose docstring has a `>>>`.
"""

import ast
import re
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

#: Underscored by their libraries and public all the same: named tuples, sys, and the compiled module.
PUBLIC_IN_SPITE = {"_replace", "_asdict", "_fields", "_make", "_getframe", "_native"}

#: The one module for private names of scikit-learn.
COMPATIBILITY = "_sklearn_compat.py"

MAX_FILE_LINES = 400

ARRAY = re.compile(r"ArrayLike|ndarray|NDArray|\barray")
SHAPE = re.compile(r"\((?:[A-Za-z0-9_+*\-·… ]+,\s*)+(?:[A-Za-z0-9_+*\-·… ]+)?\)")


@dataclass(frozen=True)
class Module:
    """A parsed file: its path below the tree, its lines and its syntax tree."""

    path: Path
    n_lines: int
    tree: ast.Module

    @property
    def is_public(self) -> bool:
        """Whether no part of the path is underscored."""
        return not any(part.startswith("_") and part != "__init__.py" for part in self.path.parts)


def read_tree(root: Path) -> list[Module]:
    """All modules of a package, by path."""
    modules = []
    for path in sorted(root.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        modules.append(Module(path.relative_to(root), len(text.splitlines()), ast.parse(text)))
    if not modules:
        raise SystemExit(f"no Python files in {root}")
    return modules


# ---------------------------------------------------------------------------------------------------------- coupling
def is_private(name: str) -> bool:
    """One leading underscore, and not a name that is public in spite of it."""
    return name.startswith("_") and not name.startswith("__") and name != "_" and name not in PUBLIC_IN_SPITE


def defined_names(tree: ast.Module) -> set[str]:
    """Names that a module binds: definitions, assignments, and attributes set on self or cls."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own(node.value):
            names.add(node.attr)
    return names


def is_own(node: ast.expr) -> bool:
    """Whether an expression is self, cls or super()."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "super"
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def foreign_private_names(module: Module, package: str) -> list[str]:
    """Private names of other modules that a module reads, one for each place."""
    if module.path.name == COMPATIBILITY:
        return []
    own, foreign = defined_names(module.tree), []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and not is_own(node.value):
            foreign += [node.attr] * (node.attr not in own)
        elif isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").partition(".")[0] == package):
            foreign += [alias.name for alias in node.names if is_private(alias.name)]
    return foreign


def imports_of(word: str, module: Module) -> int:
    """Import statements that name a module `word` on their path, in a file that does not lie beside or below it."""
    count = 0
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom):
            count += word in [*(node.module or "").split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            count += any(word in alias.name.split(".") for alias in node.names)
    return count


def outside_imports(word: str, modules: Sequence[Module]) -> dict[str, int]:
    """File → imports of the package `word`, for files outside the folder that holds it."""
    homes = {
        Path(*module.path.parts[: module.path.parts.index(word)]) for module in modules if word in module.path.parts
    }
    counts = {
        str(module.path): imports_of(word, module)
        for module in modules
        if not any(home in module.path.parents for home in homes)
    }
    return {path: count for path, count in counts.items() if count}


# -------------------------------------------------------------------------------------------------------------- size
def functions(modules: Sequence[Module]) -> list[FunctionNode]:
    """Every function and method."""
    return [node for module in modules for node in ast.walk(module.tree) if isinstance(node, FunctionNode)]


def class_sizes(modules: Sequence[Module]) -> list[tuple[int, str]]:
    """(methods, class), the largest first."""
    classes = [node for module in modules for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    sizes = [(sum(isinstance(child, FunctionNode) for child in node.body), node.name) for node in classes]
    return sorted(sizes, reverse=True)


def arguments(function: FunctionNode) -> list[ast.arg]:
    """Arguments without self and cls."""
    spec = function.args
    named = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return [each for each in named if each is not None and each.arg not in ("self", "cls")]


# -------------------------------------------------------------------------------------------------------- docstrings
def public_objects(module: Module) -> Iterator[tuple[str, ast.AST]]:
    """(name, node) of a module, its public classes, functions and methods."""
    if not module.is_public:
        return
    yield str(module.path), module.tree
    for node in module.tree.body:
        if isinstance(node, FunctionNode | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            for child in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(child, FunctionNode) and not child.name.startswith("_"):
                    yield f"{node.name}.{child.name}", child


def docstring(node: ast.AST) -> str:
    """Docstring of a module, class or function; '' without one."""
    return ast.get_docstring(node) or "" if isinstance(node, FunctionNode | ast.ClassDef | ast.Module) else ""


def constructor_arguments(node: ast.ClassDef) -> list[ast.arg]:
    """Arguments of `__init__`, which the class's docstring describes."""
    return next(
        (arguments(child) for child in node.body if isinstance(child, FunctionNode) and child.name == "__init__"), []
    )


def gives_argument(text: str, argument: ast.arg) -> bool:
    """Whether a docstring names an argument and, where it is an array, its shape nearby."""
    place = re.search(rf"(?<![\w.]){re.escape(argument.arg)}(?!\w)", text)
    if place is None:
        return False
    entry = text[place.start() :].split("\n\n")[0][:300]
    annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
    is_array = ARRAY.search(annotation) or ARRAY.search(entry.split("\n")[0])
    return not is_array or SHAPE.search(entry) is not None


def described(modules: Sequence[Module]) -> tuple[list[str], list[str]]:
    """Names of public objects with arguments whose docstring gives all of them, and of the others."""
    good, bad = [], []
    for module in modules:
        for name, node in public_objects(module):
            asked = constructor_arguments(node) if isinstance(node, ast.ClassDef) else []
            asked = arguments(node) if isinstance(node, FunctionNode) else asked
            if asked:
                whole = all(gives_argument(docstring(node), argument) for argument in asked)
                (good if whole else bad).append(f"{module.path}:{name}")
    return good, bad


def examples(modules: Sequence[Module]) -> list[str]:
    """Public objects with a runnable example."""
    return [name for module in modules for name, node in public_objects(module) if ">>> " in docstring(node)]


# -------------------------------------------------------------------------------------------------------------- table
def share(part: int, whole: int) -> str:
    """Part of a whole, in per cent."""
    return f"{part / whole:.0%} of {whole}" if whole else "–"


def measure(root: Path) -> dict[str, str]:
    """Row of the table → its figure for one tree."""
    modules = read_tree(root)
    private = [name for module in modules for name in foreign_private_names(module, root.name)]
    reference = outside_imports("reference", modules)
    sizes = [f"{count} {name}" for count, name in class_sizes(modules)[:2]]
    found = functions(modules)
    lengths = sorted((node.end_lineno or node.lineno) - node.lineno + 1 for node in found) or [0]
    given = [argument.annotation is not None for node in found for argument in arguments(node)]
    good, bad = described(modules)
    return {
        "private attributes read across modules": str(len(private)),
        "imports of reference from outside": f"{sum(reference.values())} in {len(reference)} files",
        "largest class, methods / next": " / ".join(sizes) or "–",
        f"files over {MAX_FILE_LINES} lines": str(sum(module.n_lines > MAX_FILE_LINES for module in modules)),
        "arguments annotated": share(sum(given), len(given)),
        "public docstrings that give their arguments": share(len(good), len(good) + len(bad)),
        "public objects with a runnable example": str(len(examples(modules))),
        "function lines, median / p90": f"{statistics.median(lengths):g} / {lengths[int(0.9 * (len(lengths) - 1))]}",
        "modules, lines, functions": f"{len(modules)}, {sum(module.n_lines for module in modules)}, {len(found)}",
    }


def offenders(root: Path) -> Iterator[str]:
    """Lines that name what the table only counts."""
    modules = read_tree(root)
    for module in modules:
        if names := foreign_private_names(module, root.name):
            yield f"private: {module.path}: {', '.join(names)}"
        if module.n_lines > MAX_FILE_LINES:
            yield f"long: {module.path}: {module.n_lines} lines"
    yield from (f"reference: {path}: {count}" for path, count in outside_imports("reference", modules).items())
    yield from (f"docstring: {name}" for name in described(modules)[1])


def main(arguments: Sequence[str], write: Callable[[str], object] = sys.stdout.write) -> None:
    """Print the table of the trees named, and, after --offenders, what stands behind it."""
    roots = [Path(argument).resolve() for argument in arguments if argument != "--offenders"]
    if not roots:
        raise SystemExit(__doc__)
    columns = [measure(root) for root in roots]
    for row in columns[0]:
        write(f"{row:46s}" + "".join(f"{column[row]:>42s}" for column in columns).rstrip() + "\n")
    if "--offenders" in arguments:
        for root in roots:
            write("\n".join(["", str(root), *offenders(root), ""]))


if __name__ == "__main__":
    main(sys.argv[1:])
