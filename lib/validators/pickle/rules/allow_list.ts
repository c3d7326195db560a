import { matchesAny } from "../../../core/wildcards.ts";
import { BOOSTING_RULES } from "./boosting_rules.ts";
import { NUMPY_RULES } from "./numpy_rules.ts";
import { PANDAS_RULES } from "./pandas_rules.ts";
import { PYTHON_RULES } from "./python_rules.ts";
import { FREE, type GlobalRule, type PickleAllowList, type PickleDialect, type Rule } from "./rule.ts";
import { HOOK_RULES, SCIPY_RULES } from "./scipy_rules.ts";
import { SKLEARN_RULES } from "./sklearn_rules.ts";
import { TORCH_RULES, TORCHSCRIPT_RULES } from "./torch_rules.ts";
import names from "./library_imports.json" with { type: "json" };

/** Parts of module names below which patterns allow nothing: such modules fetch, build, test, or load other code. */
const DENIED_PARTS =
  /(^|\.)(_?datasets?|externals|_?testing|tests?|conftest|_show_versions|_build_utils|_build|f2py|distutils|setup|stats|io|signal|ctypes\w*|_?ccallback|cloudpickle\w*|dill|loky|numpy_pickle_(utils|compat)|estimator_checks)(\.|$)/;

/** Modules of Python that run code, read or write files, or load or look up objects. */
const DENIED_ROOTS = new Set(
  ("builtins __builtin__ os posix nt posixpath ntpath sys subprocess commands popen2 pty platform shutil tempfile pathlib glob " +
    "importlib imp runpy pkgutil zipimport site code codeop pdb bdb cProfile profile timeit trace doctest unittest " +
    "pickle _pickle cPickle copyreg copy_reg marshal shelve dill cloudpickle joblib types functools _functools operator " +
    "_operator itertools inspect gc ctypes _ctypes cffi mmap multiprocessing _multiprocessing threading _thread concurrent " +
    "asyncio socket _socket socketserver ssl http urllib urllib2 httplib requests ftplib smtplib telnetlib xmlrpc webbrowser " +
    "pydoc pip setuptools distutils ensurepip venv idlelib lib2to3 logging atexit signal sched codecs _codecs io _io " +
    "linecache tokenize ast compileall py_compile torch").split(" "),
);

/** Names that run code or load or look up objects in any module. */
const DENIED_NAMES =
  /^(eval|exec|execfile|compile|open|getattr|setattr|delattr|__\w+__|system|popen\w*|Popen|run\w*|call|check_(call|output)|spawn\w*|load\w*|fetch\w*|loadtxt|genfromtxt|fromfile|memmap|attrgetter|itemgetter|methodcaller|partial|reduce|apply|locate|import_module|exec_command|_?ufunc_reconstruct|C?DLL|\w+DLL|\w*Unpickler|rv_\w+|\w+_gen)$/;

const RULES: readonly Rule[] = [
  ...PYTHON_RULES,
  ...NUMPY_RULES,
  ...SKLEARN_RULES,
  ...SCIPY_RULES,
  ...BOOSTING_RULES,
  ...PANDAS_RULES,
];

const RULES_OF: Readonly<Record<PickleDialect, readonly Rule[]>> = {
  python: RULES,
  joblib: RULES,
  torch: [...TORCH_RULES, ...RULES],
  torchscript: [...TORCHSCRIPT_RULES, ...TORCH_RULES, ...RULES],
};

/**
 * Returns what a pickle may do with `module.name`; `undefined` if it may not import it.
 *
 * An exact pattern of the user allows anything. A pattern with `*` does not allow known gadgets: see {@link isDenied}.
 */
export function findRule(
  module: string,
  name: string,
  allowed: PickleAllowList,
  dialect: PickleDialect,
): GlobalRule | undefined {
  const full = `${module}.${name}`;
  if (allowed.patterns.some((pattern) => pattern === full)) return FREE;
  const text = `${module}:${name}`;
  const reviewed = HOOK_RULES.find(([pattern]) => pattern.test(text))?.[1];
  if (reviewed !== undefined) return reviewed;
  const rules = RULES_OF[dialect];
  if (!DENIED_PARTS.test(module)) {
    const known = rules.find(([pattern]) => pattern.test(text))?.[1];
    if (known !== undefined) return known;
    const listed = isDenied(module, name) ? undefined : findLibraryRule(module, name);
    if (listed !== undefined) return listed;
  }
  // A dotted name leads to attributes, and so to everything that a module itself imported.
  if (name.includes(".")) return undefined;
  const isOpen = allowed.patterns.some((pattern) => startsLiterally(pattern) && matchesAny(full, [pattern]));
  return isOpen && !isDenied(module, name) ? FREE : undefined;
}

/** Returns the allow-list as one text, which is another one after any change of it. */
export function allowListText(): string {
  const all = [RULES_OF, HOOK_RULES, DENIED_PARTS, [...DENIED_ROOTS], DENIED_NAMES, names];
  return JSON.stringify(all, (_key, value: unknown) => value instanceof RegExp ? String(value) : value);
}

/** Whether an import is a known gadget: it runs code, reads or writes files, or loads or looks up objects. */
export function isDenied(module: string, name: string): boolean {
  return DENIED_ROOTS.has(module.split(".", 1)[0] ?? "") || DENIED_PARTS.test(module) ||
    DENIED_NAMES.test(name);
}

/** A pattern has to name its package: `*.Model` would match every package. */
function startsLiterally(pattern: string): boolean {
  return /^\w+\./.test(pattern);
}

/** The allowed imports in a few words, for messages. */
export const ALLOWED_IN_WORDS =
  "models of scikit-learn, imbalanced-learn, hmmlearn, statsmodels, scipy, xgboost, lightgbm and catboost, data of " +
  "numpy, joblib and pandas, dates, collections and built-in data types";

/** The names that `configs/pickle_imports.py` found: classes may be created without constructor, functions only stored. */
const FOUND = [
  { packages: new Map(Object.entries(names.classes)), rule: { use: "make" } },
  { packages: new Map(Object.entries(names.functions)), rule: { use: "value" } },
] as const satisfies readonly { packages: ReadonlyMap<string, string>; rule: GlobalRule }[];

/** The names of a package as a set, created at the first lookup. */
const sets = new Map<string, ReadonlySet<string>>();

/** Returns the rule for a class or function of a known library; `undefined` if it is not listed. */
function findLibraryRule(module: string, name: string): GlobalRule | undefined {
  const key = module.split(".", 2).join(".");
  return FOUND.find(({ packages }) => {
    const text = packages.get(key);
    return text !== undefined && namesOf(text).has(name);
  })?.rule;
}

function namesOf(text: string): ReadonlySet<string> {
  const known = sets.get(text);
  if (known !== undefined) return known;
  const made = new Set(text.split(" "));
  sets.set(text, made);
  return made;
}
