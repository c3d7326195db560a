import { join } from "node:path";
import { writeProgram } from "./make_program.ts";
import { PROJECT } from "./run_cli.ts";

/** Creates a folder with a program `model-sync` that runs this source. @returns a `PATH` that begins with the folder */
export function programOnPath(root: string): string {
  const main = ["--config", join(PROJECT, "deno.json"), "-P=model-sync", join(PROJECT, "cli/main.ts")];
  const command = [Deno.execPath(), "run", "-q", "--no-prompt", "--unstable-lazy-dynamic-imports", ...main];
  const folder = join(root, "bin");
  Deno.mkdirSync(folder);
  writeProgram(
    join(folder, "model-sync"),
    `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(" ")} "$@"\n`,
  );
  return `${folder}:${Deno.env.get("PATH")}`;
}
