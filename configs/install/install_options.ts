import { parseArgs } from "node:util";
import { resolve } from "node:path";
import type { Environment } from "../../lib/core/context.ts";
import { UsageError } from "../../lib/core/errors.ts";
import { expandHome, homeFolder } from "../../lib/core/home_folder.ts";

/** Returns the command line that runs the installer in a clone, as the README has it. It needs npm alone. */
export function installerCommand(denoVersion: string): string {
  return `npx -y deno@${denoVersion} -A configs/install.ts`;
}

const INSTALLER = installerCommand(Deno.version.deno);

/** The text of `--help`. */
export const USAGE = `Installs the command model-sync: a launcher that runs this clone.

Usage: ${INSTALLER} [options]            install, or update
       ${INSTALLER} uninstall [options]

  --prefix DIR   Install into DIR/bin and DIR/lib/model-sync (default: ~/.local)
  --dry-run      Print what would be done, and change nothing
  -h, --help     Print this help

uninstall removes what an install wrote.`;

/** What the command line asks for. */
export interface InstallOptions {
  readonly action: "install" | "uninstall" | "help";
  /** The absolute path of the folder that gets `bin/` and `lib/`. */
  readonly prefix: string;
  readonly isDryRun: boolean;
}

/**
 * Returns the options of a command line. A relative prefix is relative to the folder where the operator started the
 * task, which Deno and npm name in `INIT_CWD`: a task itself runs in the folder of `deno.json`.
 *
 * @throws {UsageError} code `INSTALL_OPTION`
 */
export function parseOptions(args: readonly string[], env: Environment, cwd: string): InstallOptions {
  const [first] = args;
  const isNamed = first === "install" || first === "uninstall";
  const action = isNamed ? first : "install";
  const values = valuesOf(isNamed ? args.slice(1) : args);
  const base = env.get("INIT_CWD") ?? cwd;
  const prefix = values.prefix === undefined
    ? defaultPrefix(env)
    : resolve(base, expandHome(values.prefix, env));
  // In a launcher, a line break would end a quoted path for Windows' shell, and hide the rest from a reader.
  if (/[\r\n]/.test(prefix)) throw invalid("--prefix must not contain line breaks");
  return { action: values.help ? "help" : action, prefix, isDryRun: values["dry-run"] };
}

function valuesOf(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        prefix: { type: "string" },
        "dry-run": { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.prefix === "") throw invalid("--prefix needs the path of a folder");
    return values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw invalid(error.message);
  }
}

function defaultPrefix(env: Environment): string {
  const home = homeFolder(env);
  if (home !== undefined) return resolve(home, ".local");
  throw invalid("The home folder is unknown because HOME is not set: name a folder with --prefix");
}

function invalid(message: string): UsageError {
  return new UsageError(message, {
    code: "INSTALL_OPTION",
    hint: `${INSTALLER} --help lists the options`,
  });
}
