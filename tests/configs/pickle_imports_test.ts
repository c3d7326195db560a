import assert from "node:assert/strict";
import { dirname, join } from "node:path";
import * as z from "zod";
import { runPython } from "../helpers/python_fixture.ts";
import { tempDir } from "../helpers/temp_dir.ts";

const SCRIPT = new URL("../../configs/pickle_imports.py", import.meta.url).pathname;

const HAS_PYTHON = (() => {
  try {
    runPython("python3", "import sys; assert sys.version_info >= (3, 9)");
    return true;
  } catch {
    return false;
  }
})();

const List = z.object({
  versions: z.record(z.string(), z.string()),
  classes: z.record(z.string(), z.string()),
  functions: z.record(z.string(), z.string()),
});

/** Runs the script on source trees; returns the list that it writes. */
function generate(root: string, sources: Readonly<Record<string, string>>, ...trees: readonly string[]) {
  for (const [path, source] of Object.entries(sources)) {
    Deno.mkdirSync(dirname(join(root, path)), { recursive: true });
    Deno.writeTextFileSync(join(root, path), source);
  }
  const output = join(root, "list.json");
  const { success, stderr } = new Deno.Command("python3", {
    args: [SCRIPT, `--output=${output}`, ...trees.map((tree) => `${tree}:${root}`)],
  }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
  return List.parse(JSON.parse(Deno.readTextFileSync(output)));
}

const SOURCES = {
  "sklearn/__init__.py": "",
  "sklearn/base.py": `
class BaseEstimator:
    def __setstate__(self, state): self.__dict__.update(state)
class Mixin: pass
`,
  "sklearn/svm/__init__.py": "from ._base import Plain, Hidden",
  "sklearn/svm/_base.py": `
import os as Renamed
from abc import ABCMeta
from string import Template
from sklearn.base import BaseEstimator
from ._compiled import Tree
from unknown import Other
class Plain(BaseEstimator, metaclass=ABCMeta):
    def fit(self, path): return open(path)
class Derived(Plain): pass
class lower_case(BaseEstimator):
    def __call__(self, x): return x
class Hidden(BaseEstimator):
    def __getattr__(self, name): return name
class Inherits(Hidden): pass
class Setter(BaseEstimator):
    def __setstate__(self, state): eval(state)
class Freed:
    def __del__(self): self.close()
class OfUnknown(Other): pass
class Made(metaclass=Other): pass
class Template(BaseEstimator): pass
class Tree(BaseEstimator): pass
class Renamed(BaseEstimator): pass
`,
  "sklearn/svm/tests/test_svm.py": "class OfTests: pass",
  "sklearn/datasets/_base.py": "class OfDatasets: pass",
  "sklearn/metrics/__init__.py":
    "__all__ = ['score', 'private', 'load_scores', 'read', 'runs', 'get_scorer', 'apply', '_hidden', 'count']\n",
  "sklearn/metrics/_ranking.py": `
from os import read
def score(y, p, *, sample_weight=None): return y
def private(y, memory): return y
def load_scores(y): return pickle.load(y)
def runs(y): return exec(y)
def read(y): return y
def get_scorer(y): return y
def apply(y, func): return func(y)
def _hidden(y): return y
def count(y): return len(y)
def not_public(y): return y
`,
  "numpy/__init__.py": "",
  "numpy/_core/umath.py":
    "from ._multiarray_umath import *\n__all__ = ['add', 'exp', 'frompyfunc', 'seterrobj', 'PINF', '_x']\n",
};

Deno.test({
  name: `the list of imports contains only classes that store and functions that compute${
    HAS_PYTHON ? "" : " (needs python3)"
  }`,
  ignore: !HAS_PYTHON,
  fn: () => {
    using root = tempDir();
    const list = generate(root.path, SOURCES, "sklearn=9.1", "numpy=8.1");
    assert.equal(list.classes["sklearn.svm"], "Derived Plain lower_case");
    assert.equal(list.functions["sklearn.metrics"], "count score");
    for (const name of ["numpy", "numpy._core", "numpy.core"]) assert.equal(list.functions[name], "add exp");
    assert.equal(list.classes["sklearn.datasets"], undefined);
    assert.deepEqual(list.versions, { "scikit-learn": "9.1", numpy: "8.1" });
  },
});

Deno.test({
  name: `names of older versions stay on the list of imports${HAS_PYTHON ? "" : " (needs python3)"}`,
  ignore: !HAS_PYTHON,
  fn: () => {
    using root = tempDir();
    generate(root.path, SOURCES, "sklearn=9.1");
    const newer = { ...SOURCES, "sklearn/svm/_base.py": "class Newer: pass" };
    const list = generate(root.path, newer, "sklearn=9.2");
    assert.equal(list.classes["sklearn.svm"], "Derived Newer Plain lower_case");
    assert.equal(list.versions["scikit-learn"], "9.1 9.2");
  },
});
