import * as z from "zod";

/** The parts of `deno.json` from which launchers are made. */
const Project = z.object({
  version: z.string(),
  tasks: z.record(z.string(), z.union([z.string(), z.object({ command: z.string() })])),
  permissions: z.record(z.string(), z.unknown()),
});

/** How `deno.json` says that commands are run. */
export interface CommandFlags {
  readonly version: string;
  /** The flags of `deno run` that every command gets: those of the task `model-sync`, without its permission set and V8's. */
  readonly common: readonly string[];
  /** The further flags of each command, such as those for V8, without its permission set. */
  readonly own: ReadonlyMap<string, readonly string[]>;
}

/** The task that runs any command, and its permission set. */
export const ANY_COMMAND = "model-sync";

/**
 * Returns the flags of all commands, as the tasks of `deno.json` give them: each task runs a command's file under the
 * permission set of the command's name.
 */
export function commandFlags(denoJson: string): CommandFlags {
  const { version, tasks, permissions } = Project.parse(JSON.parse(denoJson));
  const flags = new Map(
    Object.entries(tasks).flatMap(([name, task]) => {
      const words = (typeof task === "string" ? task : task.command).split(" ");
      const isCommand = words[0] === "deno" && words[1] === "run" && words.includes(`-P=${name}`) &&
        Object.hasOwn(permissions, name) && /^cli\/\w+\.ts$/.test(words.at(-1) ?? "");
      return isCommand ? [[name, words.slice(2, -1).filter((word) => word !== `-P=${name}`)] as const] : [];
    }),
  );
  const common = flags.get(ANY_COMMAND)?.filter((flag) => !flag.startsWith("--v8-flags="));
  if (common === undefined) throw new TypeError(`deno.json has no task ${ANY_COMMAND} that runs cli/main.ts`);
  flags.delete(ANY_COMMAND);
  const own = Array.from(
    flags,
    ([name, all]) => [name, all.filter((flag) => !common.includes(flag))] as const,
  );
  return { version, common, own: new Map(own.sort(([a], [b]) => a < b ? -1 : 1)) };
}
