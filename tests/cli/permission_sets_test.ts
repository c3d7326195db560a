import assert from "node:assert/strict";
import { join } from "node:path";
import type { CommandName } from "../../cli/_help.ts";
import { spawnCli } from "../helpers/run_cli.ts";
import { runJson, world } from "../helpers/seed_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";

/** Tried as processes by the tests of their carriers, which have the other side. */
type Elsewhere =
  | "hf-upload"
  | "hf-pull"
  | "artifact-pull"
  | "runpod-pull"
  | "references-sync"
  | "redeploy"
  | "daemon"
  | "dashboard"
  | "run-now";

interface Work {
  readonly at: "trainer" | "bot";
  readonly args: readonly string[];
  readonly says: RegExp;
}

/** The order matters: each command needs the results of those before. */
const WORK: Readonly<Record<Exclude<CommandName, Elsewhere>, Work>> = {
  doctor: { at: "bot", args: [], says: /pass {2}registry writable: / },
  publish: { at: "trainer", args: [], says: /published release [0-9a-f]{12} \(sequence 2\)/ },
  pull: { at: "bot", args: [], says: /activated release [0-9a-f]{12} \(sequence 2\)/ },
  verify: { at: "bot", args: ["--deep"], says: /is intact: 2 files/ },
  canary: { at: "bot", args: ["abort"], says: /rolled back to release/ },
  rollback: {
    at: "bot",
    args: ["--to", "NEWEST"],
    says: /rolled back to release [0-9a-f]{12} \(sequence 2\)/,
  },
  quarantine: { at: "bot", args: ["add", "NEWEST"], says: /release [0-9a-f]{12} is quarantined/ },
  prune: { at: "bot", args: ["--keep", "1"], says: /removed 0 releases, kept 2/ },
  pause: { at: "bot", args: ["client", "--for", "2h"], says: /paused until 20.*: client/ },
  resume: { at: "bot", args: [], says: /resumed: client/ },
  status: { at: "bot", args: [], says: /active\s+[0-9a-f]{12} sequence 2/ },
  train: { at: "trainer", args: [], says: /wrote release/ },
  keys: {
    at: "trainer",
    args: ["generate", "--private-key", "private.pem", "--public-key", "public.pem"],
    says: /private\.pem/,
  },
  config: { at: "bot", args: ["check"], says: /no complaints/ },
};

Deno.test("each command does all of its work as a process, under the permission set of its name", async () => {
  using dir = tempDir();
  const machines = world(dir);
  const { trainer, bot } = machines;
  writeFiles(bot, { "win_rate": "0.5" });
  Deno.writeTextFileSync(
    join(bot, "configs/bot.yaml"),
    `  activation:
    reload: [{type: command, command: [sh, -c, "touch reloaded"]}]
    canary: {duration_minutes: 60, metrics: [{name: win_rate, type: file, path: win_rate, direction: higher}]}
`,
    { append: true },
  );
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  for (const [command, { at, args, says }] of Object.entries(WORK)) {
    // Asked before the command that publishes it, too.
    const newest = String((await runJson(trainer, "publish", "--skip-training", "--dry-run"))["release"]);
    const words = args.map((arg) => arg === "NEWEST" ? newest : arg);
    const result = await spawnCli(command, words, { cwd: machines[at], entry: "script" });
    assert.equal(result.code, 0, `${command}: ${result.stderr}`);
    assert.match(result.stdout, says, command);
  }
  assert.ok(Deno.statSync(join(bot, "reloaded")).isFile);
});
