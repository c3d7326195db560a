#!/usr/bin/env python3
"""Writes lib/validators/pickle/rules/library_imports.json: what pickles of known libraries may import.

    python3 configs/pickle_imports.py                                # the installed libraries
    python3 configs/pickle_imports.py sklearn=1.7.2:~/scikit-learn   # a source tree, and its version
    python3 configs/pickle_imports.py --output=FILE ...              # to another file, for tests
    deno fmt lib/validators/pickle/rules/library_imports.json

The script reads source code and imports none of it. Names that earlier runs found stay in the file, so that models of
older and newer versions pass. Run it with each relevant version, and review the difference before you commit it. To
remove a name, delete it from the file.

Threat model
------------
The attacker writes every byte of a pickle. Its opcodes import anything by name (GLOBAL), call imports with any arguments
(REDUCE), create objects without their constructor (NEWOBJ), and set any attributes (BUILD). A name in the file is allowed
no more than its kind needs, and REDUCE may call none of them:

- Functions are only stored, because models refer to the functions that they compute with. A model may call one later,
  with data and parameters from the file. So functions come only from numeric modules (MODULES), are part of the public
  API (`__all__`), and neither they nor their parameters involve files, caches, code or callables.
- Classes are created by NEWOBJ without arguments, and BUILD stores a dictionary in them. So they are written in Python.
  A class is not listed if Python would run a hook (HOOKS) of it or of a base class, or if a base is unknown.
- A name counts in all modules of a package (`sklearn.svm.*`), because versions move their modules. So a name is not
  listed if any of these modules imports the same name from another library or from a compiled module.

Classes with hooks, such as those of pandas and scipy.stats, have rules that are written and reviewed by hand: the
`*_rules.ts` beside the file. allow_list.ts refuses known gadgets whatever is in the file.
"""

import ast
import functools
import importlib.metadata
import importlib.util
import json
import pathlib
import re
import sys

DATA = pathlib.Path(__file__).parent.parent / "lib/validators/pickle/rules/library_imports.json"

# Packages whose classes make up models, and the names of their distributions.
LIBRARIES = {
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "hmmlearn": "hmmlearn",
    "statsmodels": "statsmodels",
    "numpy": "numpy",
    "scipy": "scipy",
}

# The packages whose classes are listed.
CLASSES = re.compile(
    r"^(sklearn\.(?!utils|datasets|inspection|experimental|externals|callback)\w+|imblearn\.(?!utils|datasets|keras|tensorflow)\w+"
    r"|hmmlearn\.\w+|statsmodels\.(regression|genmod|discrete|tsa|robust|base|duration|gam|miscmodels|nonparametric"
    r"|multivariate))(\.|$)"
)

# Modules with functions in `__all__` that only compute.
MODULES = re.compile(
    r"^(sklearn\.(metrics|feature_selection|preprocessing|covariance|cluster|decomposition|linear_model|manifold|neighbors"
    r"|isotonic)(\.(pairwise|cluster))?"
    r"|imblearn\.metrics(\.pairwise)?"
    r"|numpy\.(core|_core)\.(fromnumeric|umath)|numpy\.lib\.(nanfunctions|_nanfunctions_impl)"
    r"|scipy\.special|scipy\.special\._ufuncs|scipy\.spatial\.distance)$"
)

# Modules that test, fetch, build, or read and write files.
SKIPPED = re.compile(
    r"(^|\.)(_?datasets?|externals|_?testing|tests?|conftest|_show_versions|_?build\w*|__check_build|f2py|distutils|setup|io|_?plot\w*"
    r"|_?plotting|graphics|sandbox|examples|benchmarks|estimator_checks|tools|iolib|compat|_export|_reingold_tilford)(\.|$)"
)

# The methods that Python calls while it loads a pickle, hashes a key or frees an object.
HOOKS = {
    "__setstate__", "__setattr__", "__getattr__", "__getattribute__", "__new__", "__del__", "__hash__", "__set_name__",
    "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__", "__slots__", "__missing__", "__dir__",
}

# Reviewed hooks. BaseEstimator compares and prints a version, which has to be text: see `isForged`.
READ = {("BaseEstimator", "__setstate__")}

# Base classes without hooks.
BASES = {"object", "ABC", "Generic", "Protocol"}

# Calls that show that a function reads, writes, loads, runs or looks up something.
CALLS = {
    "open", "exec", "eval", "compile", "__import__", "Memory", "check_memory", "load", "dump", "loads", "dumps", "fromfile", "tofile",
    "loadtxt", "savetxt", "genfromtxt", "memmap", "save", "import_module", "system", "Popen", "run", "urlopen", "read_csv", "dmatrix",
    "dmatrices", "NamedTemporaryFile", "mkdtemp", "mkstemp", "remove", "unlink", "rmtree", "makedirs",
}
PARAMETERS = re.compile(r"file|path|fname|folder|directory|memory|cache|url|backend|func|callable|callback|mmap|dispatch", re.I)

# Functions that create callables or change settings of the process, and constants.
EXCLUDED = re.compile(r"^(frompyfunc|(get|set)err\w*|get_scorer\w*|make_scorer|check_scoring|\w*errstate|errprint|ERR\w+|vectorize|e|pi|euler_gamma)$")


class Library:
    """The parsed modules of one library, by name. Of stubs, only those of ufuncs are read."""

    # All opened libraries, by name.
    opened = {}

    def __init__(self, name, folder):
        self.name = name
        Library.opened[name] = self
        self.modules = {}
        for path in sorted([*folder.rglob("*.py"), *folder.rglob("_ufuncs.pyi")]):
            parts = [name, *path.relative_to(folder).with_suffix("").parts]
            module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            if SKIPPED.search(module):
                continue
            try:
                self.modules[module] = (ast.parse(path.read_bytes()), path.name == "__init__.py")
            except SyntaxError as error:
                print(f"{module} is left out, because this Python cannot read it: {error}", file=sys.stderr)

    def definitions(self, kinds):
        for module, (tree, _) in self.modules.items():
            yield from ((module, node) for node in tree.body if isinstance(node, kinds))

    def public(self, module):
        """Returns the names in a module's `__all__`, or the names of ufuncs in their stub."""
        names = set()
        for node in self.modules[module][0].body:
            if isinstance(node, (ast.Assign, ast.AugAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(getattr(target, "id", None) == "__all__" for target in targets):
                    names |= {item.value for item in ast.walk(node.value) if isinstance(item, ast.Constant)}
            elif isinstance(node, ast.AnnAssign) and "ufunc" in ast.unparse(node.annotation):
                names.add(node.target.id)
        return {name for name in names if isinstance(name, str) and re.fullmatch(r"[A-Za-z_]\w*", name)}

    @functools.cache
    def foreign(self, package):
        """Returns the names that the modules of a package import from outside the library's Python code."""
        names = set()
        for module, (tree, _) in self.modules.items():
            if module == package or module.startswith(package + "."):
                for node in ast.walk(tree):
                    if isinstance(node, ast.Import):
                        names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
                    elif isinstance(node, ast.ImportFrom):
                        origin = self.origin(module, node)
                        names |= {alias.asname or alias.name for alias in node.names if not self.defines(origin, alias.name)}
        return names

    def origin(self, module, node):
        """Returns the module that a `from` import in another module names."""
        if node.level == 0:
            return node.module
        parts = module.split(".")
        _, is_package = self.modules[module]
        parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
        return ".".join([*parts, node.module] if node.module else parts)

    def defines(self, module, name, depth=8):
        """Whether a module of an opened library defines a class or function, or imports it from one that does."""
        library = Library.opened.get((module or "").split(".")[0])
        if library is not None and library is not self:
            return library.defines(module, name, depth)
        if module not in self.modules or depth == 0:
            return False
        for node in ast.walk(self.modules[module][0]):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == name:
                return True
            if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == name for alias in node.names):
                return self.defines(self.origin(module, node), name, depth - 1)
        return False


def package_of(module):
    return ".".join(module.split(".")[:2])


def touches_outside(node):
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            callee = part.func
            name = callee.id if isinstance(callee, ast.Name) else callee.attr if isinstance(callee, ast.Attribute) else ""
            if name in CALLS:
                return True
    return False


def members(node):
    for item in node.body:
        if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield item.name
        elif isinstance(item, ast.Assign):
            yield from (target.id for target in item.targets if isinstance(target, ast.Name))
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            yield item.target.id


class Classes:
    """All classes of all libraries, to follow their bases."""

    def __init__(self, libraries):
        self.named = {}
        for library in libraries:
            for _, node in library.definitions(ast.ClassDef):
                self.named.setdefault(node.name, []).append(node)

    @functools.cache
    def is_plain(self, name):
        """Whether no class of that name, and none of its bases, has a hook that runs when an object is created."""
        names, found = [name], {name}
        while names:
            one = names.pop()
            if one in BASES:
                continue
            if one not in self.named or not all(map(has_no_hooks, self.named[one])):
                return False
            bases = {ast.unparse(base).split("[")[0].split(".")[-1] for node in self.named[one] for base in node.bases}
            names.extend(bases - found)
            found |= bases
        return True


def has_no_hooks(node):
    if any(keyword.arg != "metaclass" or ast.unparse(keyword.value) not in ("ABCMeta", "abc.ABCMeta") for keyword in node.keywords):
        return False
    return all((node.name, name) in READ for name in members(node) if name in HOOKS)


def find_classes(library, classes):
    for module, node in library.definitions(ast.ClassDef):
        package = package_of(module)
        if CLASSES.match(module) and classes.is_plain(node.name) and node.name not in library.foreign(package):
            yield package, node.name


def find_functions(library):
    defined = {}
    for _, node in library.definitions(ast.FunctionDef):
        defined.setdefault(node.name, []).append(node)
    for module in library.modules:
        if not MODULES.match(module):
            continue
        for name in library.public(module):
            nodes = defined.get(name, [])
            # Ufuncs are defined in C.
            is_ufunc = not nodes and name[0].islower() and re.search(r"\.(umath|_ufuncs)$", module) is not None
            if not (nodes or is_ufunc) or name.startswith("_") or EXCLUDED.match(name) or not all(map(computes, nodes)):
                continue
            for package in packages_of(module):
                # numpy's functions are in all of its modules, including the compiled ones.
                if is_ufunc or library.name == "numpy" or name not in library.foreign(package):
                    yield package, name


def packages_of(module):
    """numpy's functions name `numpy` as their module; ufuncs name the module in C."""
    if module.startswith("numpy."):
        return ["numpy", "numpy.core", "numpy._core"]
    return [package_of(module)]


def computes(node):
    arguments = node.args
    names = [one.arg for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
    return not any(PARAMETERS.search(name) for name in names) and not touches_outside(node)


def open_library(name, folder):
    if folder is None:
        spec = importlib.util.find_spec(name)
        return None if spec is None else Library(name, pathlib.Path(spec.origin).parent)
    path = pathlib.Path(folder).expanduser()
    return Library(name, path / name if (path / name).is_dir() else path)


def main(arguments):
    output = next((pathlib.Path(one.removeprefix("--output=")) for one in arguments if one.startswith("--output=")), DATA)
    arguments = [one for one in arguments if not one.startswith("--")]
    trees = {name: place.split(":", 1) for name, place in (argument.split("=", 1) for argument in arguments)}
    unknown = set(trees) - set(LIBRARIES)
    if unknown:
        sys.exit(f"unknown libraries: {', '.join(unknown)}; known are {', '.join(LIBRARIES)}")
    before = json.loads(output.read_text()) if output.exists() else {}
    found = {kind: {key: set(names.split()) for key, names in before.get(kind, {}).items()} for kind in ("classes", "functions")}
    versions = {name: set(text.split()) for name, text in before.get("versions", {}).items()}

    names = list(trees) if trees else list(LIBRARIES)
    # Classes of sklearn are bases of classes in other libraries.
    opened = {name: open_library(name, trees[name][1] if name in trees else None) for name in {*names, "sklearn"}}
    libraries = [library for library in opened.values() if library is not None]
    classes = Classes(libraries)
    for name in names:
        library = opened[name]
        if library is None:
            print(f"{name} is not installed", file=sys.stderr)
            continue
        version = trees[name][0] if name in trees else importlib.metadata.version(LIBRARIES[name])
        versions.setdefault(LIBRARIES[name], set()).add(version)
        for kind, pairs in (("classes", find_classes(library, classes)), ("functions", find_functions(library))):
            for package, one in pairs:
                found[kind].setdefault(package, set()).add(one)
    output.write_text(json.dumps({
        "about": "Written by configs/pickle_imports.py, which says how. Names of packages with what pickles may import from their modules.",
        "versions": {name: " ".join(sorted(text)) for name, text in sorted(versions.items())},
        **{kind: {key: " ".join(sorted(names)) for key, names in sorted(packages.items()) if names} for kind, packages in found.items()},
    }, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
