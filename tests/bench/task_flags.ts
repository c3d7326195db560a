import { join } from "node:path";
import * as z from "zod";
import { PROJECT } from "../helpers/run_cli.ts";

const Project = z.object({ tasks: z.record(z.string(), z.unknown()) });

/** Returns the words of `deno run` with which the task of a command starts it: flags, permission set and file. */
export function taskWords(command: string): string[] {
  const { tasks } = Project.parse(JSON.parse(Deno.readTextFileSync(join(PROJECT, "deno.json"))));
  const words = z.string().parse(tasks[command]).split(" ").slice(2);
  const file = words.pop() ?? "";
  return [...words, join(PROJECT, file)];
}

/** Returns the flags for the JavaScript engine with which the task of a command starts it. */
export function v8Flags(command: string): string[] {
  return taskWords(command).filter((word) => word.startsWith("--v8-flags="));
}
