import { fileURLToPath } from "node:url";
import * as z from "zod";
import type { Environment } from "../lib/core/context.ts";
import { UsageError } from "../lib/core/errors.ts";
import type { FileSystem } from "../lib/core/files.ts";
import { SOURCE_ROOT } from "../lib/core/source_root.ts";

interface Outside {
  readonly fs: FileSystem;
  readonly env: Environment;
}

/** The variable in which a launcher names itself. */
const LAUNCHER = "MODEL_SYNC_LAUNCHER";

/**
 * Returns the words with which a service starts a command of this program: the launcher or the executable, or for a
 * clone the whole command line of Deno.
 *
 * @throws {UsageError} code `PROGRAM_UNKNOWN` if this program was loaded from an address
 */
export function programWords({ fs, env }: Outside, command: string): string[] {
  const launcher = env.get(LAUNCHER);
  if (launcher !== undefined && launcher !== "") return [launcher];
  if (Deno.build.standalone) return [Deno.execPath()];
  if (!SOURCE_ROOT.startsWith("file:")) {
    throw new UsageError(
      "Cannot name the program that a service starts: this one was loaded from an address",
      {
        code: "PROGRAM_UNKNOWN",
        hint: "name its absolute path with --program",
      },
    );
  }
  const main = fileURLToPath(new URL("cli/main.ts", SOURCE_ROOT));
  const settings = fileURLToPath(new URL("deno.json", SOURCE_ROOT));
  const { tasks } = Settings.parse(JSON.parse(fs.readTextFileSync(settings)));
  const task = tasks[command];
  if (typeof task !== "string") throw new TypeError(`deno.json has no task ${command}`);
  // `deno run ... cli/daemon.ts`: the flags, such as the permission set of the command.
  return [Deno.execPath(), ...task.split(" ").slice(1, -1), "--config", settings, main];
}

/** The part of `deno.json` that says how commands are run. */
const Settings = z.object({ tasks: z.record(z.string(), z.unknown()) });
