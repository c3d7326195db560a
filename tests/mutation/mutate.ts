import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type Mutant, mutantsOf } from "./mutants.ts";
import { writeLine } from "../../lib/core/files.ts";

/**
 * Changes the code of the verifier, the archives and the store in small ways, one at a time, and runs their tests: a change
 * that no test notices is a missing test, or makes no difference. Runs in a copy of the committed project.
 *
 *     deno task mutate [--every N] [--from K] [FILE...]
 *
 * `--every N` tries the mutants K, K + N, K + 2N and so on of each file.
 */

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** Source files with the folders and files of tests that have to notice their mutants. */
const AREAS: readonly { readonly files: RegExp; readonly tests: readonly string[] }[] = [
  { files: /^lib\/archive\//, tests: ["tests/archive/"] },
  {
    files:
      /^lib\/pipeline\/(?:verify|check_offer|checked_release|check_signature|release_damage|install)\.ts$/,
    tests: ["tests/pipeline/", "tests/signing/", "tests/git/pull_test.ts", "tests/store/"],
  },
  {
    files: /^lib\/(?:core\/hash|release\/(?:manifest|match_digest|metadata_checksum)|signing\/\w+)\.ts$/,
    tests: ["tests/release/", "tests/core/hash_test.ts", "tests/signing/", "tests/pipeline/verify_test.ts"],
  },
  {
    files: /^lib\/(?:store\/\w+|pipeline\/(?:activate|recover))\.ts$/,
    tests: [
      "tests/store/",
      "tests/pipeline/",
      "tests/crash/rollback_and_prune_kill_test.ts",
      "tests/git/pull_test.ts",
    ],
  },
];

/** Of an area's tests, those nearest to the changed file. The rest notices little more, and each one costs seconds. */
const TESTS_MAX = 8;

/** Some mutants loop for ever. The slowest folder of tests takes two minutes on two cores. */
const TIMEOUT_MS = 300_000;

function git(...args: string[]): string {
  const { success, stdout } = new Deno.Command("git", { args: ["-C", PROJECT, ...args] }).outputSync();
  if (!success) throw new Error(`git ${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

type Verdict = "noticed" | "timed out" | "SURVIVED";

/** Runs the nearest test alone first, because it notices most mutants, and then the others together. */
async function judge(copy: string, nearestFirst: readonly string[]): Promise<Verdict> {
  for (const tests of [nearestFirst.slice(0, 1), nearestFirst.slice(1)]) {
    if (tests.length === 0) continue;
    const { success, signal } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", "--no-prompt", "--parallel", "--fail-fast", "-q", ...tests],
      cwd: copy,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).output();
    if (!success) return signal === null ? "noticed" : "timed out";
  }
  return "SURVIVED";
}

/** Maps each source file to the files that import it. */
function readImporters(): ReadonlyMap<string, readonly string[]> {
  const importers = new Map<string, string[]>();
  for (const file of git("ls-files", "*.ts", "*.tsx").split("\n").filter((path) => path !== "")) {
    const text = Deno.readTextFileSync(join(PROJECT, file));
    for (const [, from] of text.matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
      const imported = posix.join(posix.dirname(file), from ?? "");
      importers.set(imported, [...(importers.get(imported) ?? []), file]);
    }
  }
  return importers;
}

/** Lists the tests of a file: the one of its name first, then those that import it over the fewest steps. */
function testsOf(
  path: string,
  area: readonly string[],
  importers: ReturnType<typeof readImporters>,
): string[] {
  const steps = new Map([[path, 0]]);
  for (const [file, step] of steps) {
    for (const importer of importers.get(file) ?? []) {
      if (!steps.has(importer)) steps.set(importer, step + 1);
    }
  }
  const named = `/${path.split("/").at(-1)?.replace(/\.ts$/, "_test.ts")}`;
  const rank = (test: string) => test.endsWith(named) ? -1 : steps.get(test) ?? Infinity;
  return git("ls-files", "tests/**/*_test.ts").split("\n")
    .filter((test) => test.endsWith(named) || area.some((start) => test.startsWith(start)))
    .map((test) => ({ test, rank: rank(test) }))
    .sort((a, b) => a.rank === b.rank ? 0 : a.rank - b.rank)
    .slice(0, TESTS_MAX).map(({ test }) => test);
}

interface Choice {
  /** Tries each n-th mutant only. */
  readonly every: number;
  readonly from: number;
  readonly files: readonly string[];
}

const USAGE = "Usage: deno task mutate [--every N] [--from K] [FILE...]";

/** Returns the choice of a command line; `undefined` if it is not one. */
function parseChoice(args: readonly string[]): Choice | undefined {
  try {
    const options = {
      every: { type: "string", default: "1" },
      from: { type: "string", default: "0" },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const [every, from] = [Number(values.every), Number(values.from)];
    return Number.isSafeInteger(every) && every > 0 && Number.isSafeInteger(from) && from >= 0
      ? { every, from, files: positionals }
      : undefined;
  } catch {
    return undefined;
  }
}

async function mutate({ every, from, files }: Choice): Promise<readonly string[]> {
  const copy = Deno.makeTempDirSync({ prefix: "model-sync-mutants-" });
  git("worktree", "add", "--quiet", "--detach", copy, "HEAD");
  const importers = readImporters();
  const survivors: string[] = [];
  let tried = 0;
  try {
    const sources = git("ls-files", "lib").split("\n").filter((path) =>
      files.length === 0 || files.includes(path)
    );
    for (const path of sources) {
      const area = AREAS.find((area) => area.files.test(path));
      if (area === undefined) continue;
      const tests = testsOf(path, area.tests, importers);
      const original = Deno.readTextFileSync(join(copy, path));
      const chosen = mutantsOf(original).filter((_, index) => index % every === from % every);
      for (const mutant of chosen) {
        Deno.writeTextFileSync(join(copy, path), mutant.text);
        const verdict = await judge(copy, tests);
        tried++;
        const line = describe(path, mutant, original);
        if (verdict === "SURVIVED") survivors.push(line);
        print(`${verdict.padEnd("timed out".length)} ${line}`);
      }
      Deno.writeTextFileSync(join(copy, path), original);
    }
  } finally {
    git("worktree", "remove", "--force", copy);
  }
  print(`${tried} mutants, ${survivors.length} survived`);
  return survivors;
}

function describe(path: string, { line, change }: Mutant, original: string): string {
  return `${path}:${line} ${change}: ${original.split("\n")[line - 1]?.trim()}`;
}

function print(text: string): void {
  writeLine(Deno.stdout, text);
}

if (import.meta.main) {
  const choice = parseChoice(Deno.args);
  if (choice === undefined) {
    print(USAGE);
    Deno.exit(2);
  }
  Deno.exit((await mutate(choice)).length === 0 ? 0 : 1);
}
