import assert from "node:assert/strict";
import { join } from "node:path";
import { type CommandName, SUMMARIES } from "../../cli/_help.ts";
import type { PermissionName } from "../../cli/_world.ts";
import { PROJECT, runCli, spawnCli } from "../helpers/run_cli.ts";
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
    says: /activated release [0-9a-f]{12} \(sequence 2\)/,
  },
  quarantine: { at: "bot", args: ["add", "NEWEST"], says: /release [0-9a-f]{12} is quarantined/ },
  prune: {
    at: "bot",
    args: ["--keep", "1"],
    says: /removed 0 releases, kept 2\n {2}the active release, the previous one and/,
  },
  pause: { at: "bot", args: ["client", "--for", "2h"], says: /paused until 20.*: client/ },
  resume: { at: "bot", args: [], says: /resumed: client/ },
  status: { at: "bot", args: [], says: /active\s+[0-9a-f]{12} sequence 2/ },
  log: { at: "bot", args: ["--limit", "1"], says: /resume {3,}resumed/ },
  releases: { at: "bot", args: ["--remote"], says: /client {2}release [0-9a-f]{12} sequence 2/ },
  diff: { at: "bot", args: ["active", "remote"], says: /^to {4}[0-9a-f]{12} {2}sequence 2, git/m },
  history: { at: "bot", args: [], says: /rolled back by canary\n.*pull from git/ },
  train: { at: "trainer", args: [], says: /wrote release/ },
  keys: {
    at: "trainer",
    args: ["generate", "--private-key", "private.pem", "--public-key", "public.pem"],
    says: /private\.pem/,
  },
  config: { at: "bot", args: ["check"], says: /no complaints/ },
  service: {
    at: "bot",
    args: ["install", "--role", "client", "--kind", "systemd", "--print"],
    says: /daemon --role client/,
  },
  completions: { at: "bot", args: ["bash"], says: /^complete -F _model_sync model-sync$/m },
  man: { at: "bot", args: [], says: /^\.TH MODEL/ },
  init: {
    at: "bot",
    args: ["git-client", "--repo-url", "../registry.git", "--force"],
    says: /pass {2}registry writable/,
  },
  withdraw: { at: "trainer", args: ["active"], says: /withdrew release [0-9a-f]{12}/ },
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
    assert.match(result.stdout, says, `${command}: ${result.stdout}`);
  }
  assert.ok(Deno.statSync(join(bot, "reloaded")).isFile);
});

/** Prints the names of the variables that it may read. */
const LIST_VARIABLES = "console.log(Object.keys(Deno.env.toObject()).sort().join());";

Deno.test("from source, status, log, history, verify and config read the variables of settings only, and keys the home folder", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "list.ts": LIST_VARIABLES });
  const env = {
    HOME: dir.path,
    MODEL_SYNC_KEEP: "7",
    HORDE_GITHUB_SYNC_DRY_RUN: "true",
    GitHub__Owner: "you",
    AWS_SECRET_ACCESS_KEY: "hidden",
    PATH: Deno.env.get("PATH") ?? "",
  };
  const settings = "GitHub__Owner,HOME,HORDE_GITHUB_SYNC_DRY_RUN,MODEL_SYNC_KEEP";
  for (
    const [set, names] of [
      ["status", settings],
      ["log", settings],
      ["history", settings],
      ["verify", settings],
      ["config", settings],
      ["keys", "HOME"],
    ] as const
  ) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-q",
        "--no-prompt",
        "--config",
        `${PROJECT}deno.json`,
        `-P=${set}`,
        join(dir.path, "list.ts"),
      ],
      env: { ...env, DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno` },
      clearEnv: true,
    }).output();
    assert.equal(new TextDecoder().decode(stdout).trim(), names, set);
  }
  const { DENO_DIR: _own, ...variables } = { DENO_DIR: "", ...env };
  const printed = await spawnCli("config", ["print", "--json"], {
    cwd: dir.path,
    entry: "script",
    env: variables,
  });
  const rows: Record<string, { value: unknown }> = JSON.parse(printed.stdout);
  assert.equal(rows["keep"]?.value, 7);
  assert.equal(rows["references.dry_run"]?.value, true);
});

Deno.test("every command reads the environment once and gives the permission up, and previews keep reading alone", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const givenUpBy = async (command: string, ...args: readonly string[]) => {
    const givenUp = new Set<PermissionName>();
    const permissions = { givenUp, giveUp: (name: PermissionName) => void givenUp.add(name) };
    const { code, stderr } = await runCli(command, args, { cwd: bot, world: { permissions } });
    return { code, stderr, givenUp: [...givenUp].sort().join() };
  };
  const reading = "env,net,run,write";
  for (
    const args of [
      ["status"],
      ["releases"],
      ["diff", "active", "active"],
      ["log"],
      ["history"],
      ["verify"],
      ["quarantine", "list"],
      ["prune", "--dry-run"],
      ["config", "check"],
      ["config", "print"],
      ["completions", "zsh"],
      ["service", "install", "--role", "client", "--print", "--kind", "cron"],
      ["man"],
    ] as const
  ) {
    const [command, ...rest] = args;
    const { code, stderr, givenUp } = await givenUpBy(command, ...rest);
    assert.equal(code, 0, stderr);
    assert.equal(givenUp, reading, args.join(" "));
  }
  const others = [
    "withdraw",
    "quarantine",
    "canary",
    "keys",
    "config",
    "completions",
    "service",
    "man",
    "daemon",
    "run-now",
    "dashboard",
  ];
  for (const name of Object.keys(SUMMARIES).filter((name) => !others.includes(name))) {
    const { code, stderr, givenUp } = await givenUpBy(name, "--config", "missing.yaml");
    assert.equal(code, 2, stderr);
    assert.match(givenUp, /env/, name);
  }
});

Deno.test("pull keeps the network for parts of files in Git LFS if repo_url is an HTTP address", async () => {
  using dir = tempDir();
  const givenUpFor = async (url: string) => {
    const givenUp = new Set<PermissionName>();
    const permissions = { givenUp, giveUp: (name: PermissionName) => void givenUp.add(name) };
    const { code } = await runCli("pull", ["--repo-url", url], { cwd: dir.path, world: { permissions } });
    assert.equal(code, 4, url);
    return [...givenUp].sort();
  };
  assert.deepEqual(await givenUpFor("http://127.0.0.1:2/registry.git"), ["env"]);
  assert.deepEqual(await givenUpFor(join(dir.path, "missing.git")), ["env", "net"]);
});

Deno.test("dashboard reads the token of a database on a server, and gives the permission for variables up afterwards", async () => {
  using dir = tempDir();
  const env = { DENO_KV_ACCESS_TOKEN: "token-of-sixteen-characters" };
  const args = ["--kv", "http://127.0.0.1:2", "--listen", "127.0.0.1:0"];
  for (const entry of ["script", "main"] as const) {
    const { stderr } = await spawnCli("dashboard", args, { cwd: dir.path, entry, env });
    assert.match(stderr, /^error: Cannot reach the dashboard's database "127\.0\.0\.1:\d+": /m);
  }
  const [givenUp, stop] = [new Set<PermissionName>(), new AbortController()];
  const giveUp = (name: PermissionName) => {
    givenUp.add(name);
    if (name === "env") stop.abort();
  };
  const { stderr } = await runCli("dashboard", ["--kv", ":memory:", "--listen", "127.0.0.1:0"], {
    cwd: dir.path,
    world: { permissions: { givenUp, giveUp } },
    stop: stop.signal,
  });
  assert.match(stderr, /SIGTERM: stopping/);
  assert.deepEqual([...givenUp].sort(), ["env", "run"]);
});
