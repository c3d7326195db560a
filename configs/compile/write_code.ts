import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Script } from "node:vm";
import type { run } from "../../cli/main.ts";
import type { PermissionName, processWorld } from "../../cli/_world.ts";

/**
 * Runs frequent commands of a bundle, and writes the code that V8 compiled for them. The build compiles this program with
 * the runtime and the flags of the executable, because V8 accepts no other code.
 *
 *     write_code BUNDLE FOLDER FILE   the bundle's name in dist/, an empty folder for two machines, the file to write
 */

/** What the loader of a bundle exports. */
interface Loader {
  readonly script: Script;
  readonly __load: (file: string) => { readonly run: typeof run; readonly processWorld: typeof processWorld };
}

/** All other variables could change what the commands do, or whom they report to. */
const KEPT = ["PATH", "Path", "PATHEXT", "SystemRoot", "TMPDIR", "TMP", "TEMP"];

const [bundle = "", folder = "", file = ""] = Deno.args;
for (const name of Object.keys(Deno.env.toObject())) {
  if (!KEPT.includes(name)) Deno.env.delete(name);
}
Deno.env.set("HOME", folder);
Deno.env.set("USERPROFILE", folder);
Deno.env.set("GIT_CONFIG_NOSYSTEM", "1");

const { script, __load }: Loader = await import(
  new URL(`../../dist/${bundle}/load.js`, import.meta.url).href
);
const program = __load("./executable.js");

/** Runs a command without its output. The permissions stay for the next one. */
async function runOn(machine: string, ...args: readonly string[]): Promise<void> {
  const silent = { writeSync: (bytes: Uint8Array) => bytes.length, isTerminal: () => false };
  const world = {
    ...program.processWorld,
    args,
    stdout: silent,
    stderr: silent,
    permissions: { givenUp: new Set<PermissionName>(), giveUp: () => {} },
  };
  Deno.chdir(join(folder, machine));
  await program.run({ ...world, enter: () => world });
}

for (const machine of ["trainer", "bot"]) {
  Deno.mkdirSync(join(folder, machine, "configs"), { recursive: true });
  const settings = { repo_url: join(folder, "registry.git"), publisher: { train_before_push: false } };
  Deno.writeTextFileSync(join(folder, machine, "configs/bot.yaml"), JSON.stringify({ model_sync: settings }));
}
Deno.mkdirSync(join(folder, "trainer/models"));
Deno.writeTextFileSync(join(folder, "trainer/models/model.json"), "{}\n");
// Without git, commands fail, and only their code until then is compiled ahead.
spawnSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", join(folder, "registry.git")]);
await runOn("trainer", "publish");
for (const command of ["pull", "pull", "status", "--help"]) await runOn("bot", command);
Deno.writeFileSync(file, script.createCachedData());
