import * as z from "zod";

/** Text of another program's answer: `null` counts as missing. */
const text = z.string().nullish().transform((value) => value ?? undefined);
const count = z.number().nullish().transform((value) => value ?? undefined);
const names = z.array(z.string()).optional();

const Changes = z.object({ added: names, modified: names, removed: names });

/** The parts of `--json` that outputs and summary show. Each command prints some of them. */
const Result = z.object({
  outcome: text,
  release: text,
  sequence: count,
  dryRun: z.boolean().optional(),
  changed: z.union([z.number(), z.boolean()]).nullish(),
  changes: Changes.optional(),
  warnings: names,
  checks: z.array(z.object({
    name: z.string(),
    status: z.enum(["pass", "warn", "fail"]),
    detail: z.string(),
    mend: text,
  })).optional(),
  categories: z.array(z.object({
    category: z.string(),
    status: z.string(),
    lines: z.array(z.object({ kind: z.enum(["added", "removed", "modified"]), text: z.string() })).optional(),
    added: names,
    modified: names,
    removed: names,
    error: z.object({ message: z.string(), hint: text }).optional(),
  })).optional(),
  repositories: z.array(z.object({
    repository: z.string(),
    outcome: z.string(),
    changes: z.number().optional(),
    pullRequest: z.object({ url: z.string() }).nullish(),
    error: z.object({ message: z.string(), hint: text }).optional(),
  })).optional(),
});

export type Result = z.infer<typeof Result>;

/** The error object of `--json`. */
const Failure = z.object({
  code: z.string(),
  message: z.string(),
  hint: text,
  exitCode: z.number(),
  outcome: text,
  release: text,
  sequence: count,
  warnings: names,
});

export type Failure = z.infer<typeof Failure>;

/** How a command ended. */
export interface Ending {
  readonly exitCode: number;
  /** What it printed on standard output. */
  readonly printed: string;
  /** The object on standard output; `undefined` if there is none, as with `--help`. */
  readonly result: Result | undefined;
  /** All its members, in their order. */
  readonly facts: readonly (readonly [string, unknown])[];
  readonly failure: Failure | undefined;
}

/** Returns the object that a command printed; no result for any other text. */
export function parsePrinted(printed: string): Pick<Ending, "printed" | "result" | "facts"> {
  const object = parseJson(printed);
  const result = Result.safeParse(object).data;
  return { printed, result, facts: result === undefined ? [] : Object.entries(Object(object)) };
}

/** Returns the error object of a line; `undefined` for any other line. */
export function parseFailure(line: string): Failure | undefined {
  return line.startsWith('{"code":') ? Failure.safeParse(parseJson(line)).data : undefined;
}

function parseJson(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

/** Longer answers are no output: GitHub limits the outputs of a job to 1 MB. */
const JSON_CHARS_MAX = 256 * 1024;

/** Returns the outputs of the action. A missing value is empty. */
export function outputsOf({ exitCode, printed, result, failure }: Ending): Record<string, string> {
  const { outcome, release, sequence } = result ?? failure ?? {};
  const changed = result && changesOf(result);
  return {
    "outcome": outcome ?? (result?.repositories === undefined ? "" : repositoryOutcomes(result.repositories)),
    "release": release ?? "",
    "sequence": sequence === undefined ? "" : String(sequence),
    "changed": changed === undefined ? "" : String(changed),
    "exit-code": String(exitCode),
    "error-code": failure?.code ?? "",
    "json": result === undefined ? JSON.stringify(failure) ?? "" : jsonOutput(printed),
  };
}

function jsonOutput(printed: string): string {
  return printed.length > JSON_CHARS_MAX ? "" : printed.trim();
}

/** Returns each outcome once: `created,unchanged`. */
function repositoryOutcomes(repositories: NonNullable<Result["repositories"]>): string {
  return [...new Set(repositories.map(({ outcome }) => outcome))].join(",");
}

/** Returns the number of changes: as the command counts them, or of its plan. */
export function changesOf({ changed, changes, repositories }: Result): number | undefined {
  if (typeof changed === "number") return changed;
  if (changes !== undefined) {
    return [changes.added, changes.modified, changes.removed].reduce(
      (sum, list) => sum + (list?.length ?? 0),
      0,
    );
  }
  return repositories?.reduce((sum, { changes = 0 }) => sum + changes, 0);
}

/** A failure in words. */
export interface Problem {
  readonly message: string;
  readonly hint: string | undefined;
}

/** Returns the reason for a failure: the error object's, or the first one that the result names. */
export function problemOf({ exitCode, failure, result }: Ending): Problem {
  const { categories = [], repositories = [], checks = [] } = result ?? {};
  const failedCheck = checks.find(({ status }) => status === "fail");
  const { message, hint } = failure ??
    categories.find(({ error }) => error !== undefined)?.error ??
    repositories.find(({ error }) => error !== undefined)?.error ??
    (failedCheck && { message: `${failedCheck.name}: ${failedCheck.detail}`, hint: failedCheck.mend }) ??
    { message: `The command failed with exit code ${exitCode}.`, hint: undefined };
  return { message, hint };
}
