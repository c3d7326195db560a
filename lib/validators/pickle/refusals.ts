import { oneLine, quote } from "../../core/quote.ts";
import { InvalidModelError } from "../invalid_model.ts";
import type { Contents, PickleInspection } from "./contents.ts";
import type { PickleProblem } from "./pickle_problem.ts";
import { ALLOWED_IN_WORDS, isDenied } from "./rules/allow_list.ts";
import { isKnownModule, isWord } from "./rules/known_modules.ts";

/** More or longer names make a message unreadable. */
const NAMED_MAX = 40;
const NAMED_CHARS_MAX = 2_500;

/** The names that `activation.validate.pickle.allow` accepts. */
const ALLOWABLE = /^\w+(\.\w+)+$/;

/** Names that {@link isDenied} covers only because of their module: they merely store data or compute. */
const HARMLESS = new RegExp(
  "^(" + [
    "logging\\.(getLogger|Logger)",
    "types\\.SimpleNamespace",
    "itertools\\.(count|cycle|repeat|chain|product|permutations|combinations\\w*|islice|zip_longest)",
    "torch\\.(nn|optim|distributions|_utils\\._rebuild_\\w+|Size|device|dtype|Tensor)(\\..*)?",
    "scipy\\.signal\\..*",
    "scipy\\.stats\\.\\w+\\.\\w*[rR]esult",
    "(builtins|__builtin__|exceptions)\\.\\w+(Error|Exception|Warning|Exit|Iteration)",
  ].join("|") + ")$",
);

/** Names that run code in any package. */
const RUNS_ANYTHING =
  /^(eval|exec|execfile|system|popen|Popen|getattr|setattr|__import__|__builtins__|import_module|methodcaller|attrgetter|partial|_load_from_bytes)$/;

/**
 * Returns the hint for imports that are not allowed: the line to paste into the configuration, and the imports that would
 * let a file do anything.
 *
 * @param imports names of globals with their modules: `mybot.models.Scaler`
 */
export function adviseImports(imports: readonly string[]): string {
  const dangerous = imports.filter(opensEverything);
  const others = imports.filter((name) => !opensEverything(name));
  const own = others.filter((name) => ALLOWABLE.test(name));
  const odd = others.filter((name) => !ALLOWABLE.test(name));
  const parts: string[] = [];
  if (dangerous.length > 0) {
    const [them, each] = dangerous.length > 1 ? ["them", "each of them"] : ["it", "it"];
    parts.push(
      `do not allow ${listed(dangerous)}: with ${each}, a file can run any code or read any file; ` +
        `save the model without ${them}`,
    );
  }
  if (own.length > 0) {
    const subject = own.length > 1
      ? "these are your own and harmless, add them"
      : "it is your own and harmless, add it";
    const { text, rest } = shorten(own);
    const more = rest > 0 ? ` (and ${rest} more, which the next refusal names)` : "";
    parts.push(`if ${subject} under activation.validate.pickle: allow: [${text}]${more}`);
  }
  if (odd.length > 0) {
    parts.push(
      `rename these, which the configuration cannot name, and save the model again: ${listed(odd)}`,
    );
  }
  return parts.join("; ");
}

/** Returns names for a message, and the number of those that do not fit. */
export function listed(names: readonly string[]): string {
  const { text, rest } = shorten(names);
  return rest > 0 ? `${text} and ${rest} more` : text;
}

function shorten(names: readonly string[]): { readonly text: string; readonly rest: number } {
  let chars = 0;
  const shown = names.slice(0, NAMED_MAX).filter((name) => (chars += name.length) <= NAMED_CHARS_MAX);
  return { text: shown.join(", "), rest: names.length - shown.length };
}

/** Whether a pickle could run any code or read any file with this import. */
function opensEverything(full: string): boolean {
  if (HARMLESS.test(full)) return false;
  const parts = full.split(".");
  if (parts.some((part) => RUNS_ANYTHING.test(part))) return true;
  const module = parts.slice(0, -1).join(".");
  return (isKnownModule(module) || isWord(module)) && isDenied(module, parts.at(-1) ?? "");
}

const FORGED_HINT =
  "libraries do not write such pickles, and loading one could run code or exhaust memory: save the model again with its " +
  "library; the active release is untouched";

/** Returns the refusal of contents. @param problem completes "it …" or "the entry … in it": `is compressed by xz` */
export function invalidContents(
  { path }: PickleInspection,
  { entry }: Pick<Contents, "entry">,
  problem: string,
  options: { readonly hint?: string; readonly cause?: unknown } = {},
): InvalidModelError {
  const what = entry === undefined ? "it" : `the entry ${quote(entry)} in it`;
  return new InvalidModelError(path, `${what} ${problem}`, options);
}

/** Returns the refusal of a pickle in contents. */
export function invalidPickle(
  { path }: PickleInspection,
  { entry }: Pick<Contents, "entry">,
  problem: PickleProblem,
): InvalidModelError {
  const what = entry === undefined ? "its pickle" : `the pickle ${quote(entry)} in it`;
  const { imports } = problem;
  const [first, ...others] = imports;
  if (first === undefined) {
    const text = `${what} ${oneLine(problem.message)} at byte ${problem.offset}`;
    return new InvalidModelError(path, text, {
      cause: problem,
      ...(problem.kind === "refused" ? { hint: FORGED_HINT } : {}),
    });
  }
  const besides = others.length === 0 ? "" : `, and imports ${oneLine(listed(others))}`;
  const text = `${what} ${oneLine(problem.message)} at byte ${problem.offset}${besides}; ` +
    `allowed are ${ALLOWED_IN_WORDS}`;
  return new InvalidModelError(path, text, { cause: problem, hint: adviseImports(imports), imports });
}
