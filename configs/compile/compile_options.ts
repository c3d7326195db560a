import { join } from "node:path";
import { parseArgs } from "node:util";
import { UsageError } from "../../lib/core/errors.ts";
import { suggestion } from "../../lib/config/complaints.ts";
import { hostTarget, programName, type Target, TARGETS } from "./targets.ts";

/** The file with the checksums of all executables, in the format of `sha256sum --check`. */
export const CHECKSUMS_FILE = "SHA256SUMS";

const NAMES = TARGETS.map(({ name }) => name);

/** The text of `--help`. */
export const USAGE = `Builds model-sync as a single executable.

Usage: deno task compile [options]

  --target NAME    Build for another platform: ${NAMES.join(", ")}
  --all            Build for all of them, and write ${CHECKSUMS_FILE} beside the executables
  --output PATH    The file to write; with --all, the folder
                   (default: dist/model-sync, with the platform's name after --target and --all)
  -h, --help       Print this help

The first build for a platform downloads Deno's runtime for it. To build without that download, set DENORT_BIN to
the file denort of the same Deno version, for this machine's platform.`;

/** One executable to build. */
export interface Build {
  readonly target: Target;
  readonly path: string;
}

export interface CompileOptions {
  readonly builds: readonly Build[];
  /** Where to write the checksums; `undefined` without `--all`. */
  readonly checksums: string | undefined;
}

/** Whether the command line asks for help, beside other options. */
export function asksForUsage(args: readonly string[]): boolean {
  return args.some((arg) => arg === "--help" || arg === "-h");
}

/**
 * Returns what a command line asks to build.
 *
 * @throws {UsageError} code `COMPILE_OPTION`
 */
export function parseOptions(args: readonly string[]): CompileOptions {
  const { all, target: name, output } = valuesOf(args);
  if (all && name !== undefined) {
    throw invalid("--all builds for every platform, so --target cannot be used with it");
  }
  if (all) {
    const folder = output ?? "dist";
    const builds = TARGETS.map((target) => buildOf(target, join(folder, `model-sync-${target.name}`)));
    return { builds, checksums: join(folder, CHECKSUMS_FILE) };
  }
  const target = name === undefined ? ownTarget() : targetOf(name);
  const suffix = name === undefined ? "" : `-${target.name}`;
  return { builds: [buildOf(target, output ?? `dist/model-sync${suffix}`)], checksums: undefined };
}

function valuesOf(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { target: { type: "string" }, all: { type: "boolean" }, output: { type: "string" } },
    });
    if (values.output === "") throw invalid("--output is empty");
    return values;
  } catch (error) {
    if (error instanceof TypeError) throw invalid(error.message);
    throw error;
  }
}

function buildOf(target: Target, path: string): Build {
  return { target, path: programName(path, target) };
}

function ownTarget(): Target {
  const own = hostTarget();
  if (own === undefined) {
    throw invalid(
      `There is no executable for this machine, ${Deno.build.target}: choose a platform with --target`,
    );
  }
  return own;
}

function targetOf(name: string): Target {
  const target = TARGETS.find((one) => one.name === name || one.triple === name);
  if (target === undefined) {
    throw invalid(`Unknown target "${name}"${suggestion(name, NAMES)}; the targets are ${NAMES.join(", ")}`);
  }
  return target;
}

function invalid(message: string): UsageError {
  return new UsageError(message, { code: "COMPILE_OPTION", hint: "see deno task compile --help" });
}
