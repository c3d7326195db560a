import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Script } from "node:vm";
import type { run } from "../../cli/main.ts";
import type { PermissionName, processWorld } from "../../cli/_world.ts";

/**
 * Runs frequent commands of a bundle, and writes the code that V8 compiled for them. The build compiles this program with
 * the runtime and the flags of the executable, because V8 accepts no other code.
 *
 *     write_code BUNDLE MACHINES FOLDER   the bundle's name in dist/, an empty folder for two machines, where to write
 */

/** What the loader of a bundle exports. */
interface Loader {
  /** The scripts that commands have loaded, by their names, without those of one file. */
  readonly scripts: ReadonlyMap<string, Script>;
  readonly __load: (file: string) => { readonly run: typeof run; readonly processWorld: typeof processWorld };
}

/** All other variables could change what the commands do, or whom they report to. */
const KEPT = ["PATH", "Path", "PATHEXT", "SystemRoot", "TMPDIR", "TMP", "TEMP"];

const [bundle = "", machines = "", folder = ""] = Deno.args;
for (const name of Object.keys(Deno.env.toObject())) {
  if (!KEPT.includes(name)) Deno.env.delete(name);
}
Deno.env.set("HOME", machines);
Deno.env.set("USERPROFILE", machines);
Deno.env.set("GIT_CONFIG_NOSYSTEM", "1");

const { scripts, __load }: Loader = await import(
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
  Deno.chdir(join(machines, machine));
  await program.run({ ...world, enter: () => world });
}

for (const machine of ["trainer", "bot"]) {
  Deno.mkdirSync(join(machines, machine, "configs"), { recursive: true });
  const settings = { repo_url: join(machines, "registry.git"), publisher: { train_before_push: false } };
  Deno.writeTextFileSync(
    join(machines, machine, "configs/bot.yaml"),
    JSON.stringify({ model_sync: settings }),
  );
}
Deno.mkdirSync(join(machines, "trainer/models"));
Deno.writeTextFileSync(join(machines, "trainer/models/model.json"), "{}\n");
// Without git, commands fail, and only their code until then is compiled ahead.
spawnSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", join(machines, "registry.git")]);
await runOn("trainer", "publish");
for (const command of ["pull", "pull", "status", "--help"]) await runOn("bot", command);
for (const [name, script] of scripts) {
  Deno.writeFileSync(join(folder, `${name}.bin`), script.createCachedData());
}
