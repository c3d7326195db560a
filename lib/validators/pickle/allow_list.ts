import { matchesAny } from "../../core/wildcards.ts";
import { FREE, type GlobalRule, type Rule, RULES } from "./allow_rules.ts";
import { findLibraryRule } from "./library_rules.ts";
import type { PickleDialect } from "./machine_options.ts";
import { SCIPY_RULES } from "./scipy_rules.ts";
import { TORCH_RULES, TORCHSCRIPT_RULES } from "./torch_rules.ts";

/** What may be imported besides the models of the libraries that are known. */
export interface PickleAllowList {
  /** `package.module.Class`, where `*` stands for any characters: `mybot.models.*`. */
  readonly patterns: readonly string[];
}

/** Parts of module names below which nothing is allowed by a pattern: they fetch, build, test, or load other code. */
const DENIED_PARTS =
  /(^|\.)(_?datasets?|externals|_?testing|tests?|conftest|_show_versions|_build_utils|_build|f2py|distutils|setup|stats|io|signal|ctypes\w*|_?ccallback|cloudpickle\w*|dill|loky|numpy_pickle_(utils|compat)|estimator_checks)(\.|$)/;

/** Modules of Python that run, read, write, load or look up things. */
const DENIED_ROOTS = new Set(
  ("builtins __builtin__ os posix nt posixpath ntpath sys subprocess commands popen2 pty platform shutil tempfile pathlib glob " +
    "importlib imp runpy pkgutil zipimport site code codeop pdb bdb cProfile profile timeit trace doctest unittest " +
    "pickle _pickle cPickle copyreg copy_reg marshal shelve dill cloudpickle joblib types functools _functools operator " +
    "_operator itertools inspect gc ctypes _ctypes cffi mmap multiprocessing _multiprocessing threading _thread concurrent " +
    "asyncio socket _socket socketserver ssl http urllib urllib2 httplib requests ftplib smtplib telnetlib xmlrpc webbrowser " +
    "pydoc pip setuptools distutils ensurepip venv idlelib lib2to3 logging atexit signal sched codecs _codecs io _io " +
    "linecache tokenize ast compileall py_compile torch").split(" "),
);

/** Names that run, load or look up things wherever they are found. */
const DENIED_NAMES =
  /^(eval|exec|execfile|compile|open|getattr|setattr|delattr|__\w+__|system|popen\w*|Popen|run\w*|call|check_(call|output)|spawn\w*|load\w*|fetch\w*|loadtxt|genfromtxt|fromfile|memmap|attrgetter|itemgetter|methodcaller|partial|reduce|apply|locate|import_module|exec_command|_?ufunc_reconstruct|C?DLL|\w+DLL|\w*Unpickler|rv_\w+|\w+_gen)$/;

const RULES_OF: Readonly<Record<PickleDialect, readonly Rule[]>> = {
  python: RULES,
  joblib: RULES,
  torch: [...TORCH_RULES, ...RULES],
  torchscript: [...TORCHSCRIPT_RULES, ...TORCH_RULES, ...RULES],
};

/**
 * What a pickle may do with `module.name`, `undefined` when it may not import it.
 *
 * An exact pattern is what the user says; one with `*` opens nothing that is known to run, load or look up things.
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
  const reviewed = SCIPY_RULES.find(([pattern]) => pattern.test(text))?.[1];
  if (reviewed !== undefined) return reviewed;
  const rules = RULES_OF[dialect];
  if (!DENIED_PARTS.test(module)) {
    const known = rules.find(([pattern]) => pattern.test(text))?.[1];
    if (known !== undefined) return known;
    const listed = isDenied(module, name) ? undefined : findLibraryRule(module, name);
    if (listed !== undefined) return listed;
  }
  // A dotted name goes on to attributes, and so to whatever a module has imported itself.
  if (name.includes(".")) return undefined;
  const isOpen = allowed.patterns.some((pattern) => startsLiterally(pattern) && matchesAny(full, [pattern]));
  return isOpen && !isDenied(module, name) ? FREE : undefined;
}

/** Whether something is known to run, load or look up things. */
export function isDenied(module: string, name: string): boolean {
  return DENIED_ROOTS.has(module.split(".", 1)[0] ?? "") || DENIED_PARTS.test(module) ||
    DENIED_NAMES.test(name);
}

/** A package has to be named: `*.Model` would be every package's. */
function startsLiterally(pattern: string): boolean {
  return /^\w+\./.test(pattern);
}

/** What is allowed, in a few words for messages. */
export const ALLOWED_IN_WORDS =
  "models of scikit-learn, imbalanced-learn, hmmlearn, statsmodels, scipy, xgboost, lightgbm and catboost, data of " +
  "numpy, joblib and pandas, dates, collections and built-in data types";
