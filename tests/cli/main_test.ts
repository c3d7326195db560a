import assert from "node:assert/strict";
import * as z from "zod";
import { ENTRIES } from "../../cli/_entries.ts";
import { REVOKED } from "../../cli/main.ts";
import config from "../../deno.json" with { type: "json" };
import { cliArgs, spawnCli } from "../helpers/run_cli.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { runJson, world } from "../helpers/seed_world.ts";

Deno.test("each command runs under the permission set of its name, and not with fewer permissions", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  await runJson(trainer, "publish", "--skip-training");
  await runJson(bot, "pull");
  const needs: Readonly<
    Record<string, readonly [cwd: string, args: readonly string[], needed: readonly string[]]>
  > = {
    publish: [trainer, ["--skip-training"], ["read", "write", "run", "env", "sys"]],
    pull: [bot, [], ["read", "write", "run", "env", "sys"]],
    "runpod-pull": [bot, ["--trigger-url", "http://127.0.0.1:65535/"], [
      "read",
      "write",
      "net",
      "env",
      "sys",
    ]],
    train: [trainer, ["--skip-training"], ["read", "write", "env", "sys"]],
    rollback: [bot, ["--dry-run", "--to", "0000"], ["read", "env", "sys"]],
    status: [bot, [], ["read", "env", "sys"]],
    verify: [bot, [], ["read", "env", "sys"]],
    prune: [bot, [], ["read", "write", "env", "sys"]],
    doctor: [bot, [], ["read", "write", "run", "env", "sys"]],
    keys: [
      trainer,
      ["generate", "--private-key", "keys/private.pem", "--public-key", "keys/public.pem"],
      ["read", "write", "env", "sys"],
    ],
    config: [bot, ["check"], ["read", "env", "sys"]],
    completions: [bot, ["fish"], ["read", "env", "sys"]],
    man: [bot, [], ["read", "env", "sys"]],
  };
  for (const [command, [cwd, args, needed]] of Object.entries(needs)) {
    const whole = await spawnCli(command, args, { cwd, entry: "script" });
    assert.doesNotMatch(whole.stderr, /Requires \w+ access/, command);
    for (const missing of needed) {
      const permissions = needed.filter((name) => name !== missing).map((name) => `--allow-${name}`);
      const less = await spawnCli(command, args, { cwd, entry: "script", permissions });
      assert.notEqual(less.code, 0, `${command} works without ${missing}`);
      assert.match(
        less.stderr + less.stdout,
        /Requires \w+ access|NotCapable/,
        `${command} without ${missing}`,
      );
    }
  }
});

Deno.test("main.ts gives up the permissions that the command's permission set lacks", () => {
  const { permissions } = z.object({
    permissions: z.record(z.string(), z.record(z.string(), z.unknown())),
  }).parse(config);
  for (const name of Object.keys(ENTRIES)) {
    const set = permissions[name] ?? {};
    const missing = ["net", "run", "write"].filter((permission) => set[permission] === undefined);
    assert.deepEqual((REVOKED[name] ?? []).toSorted(), missing.toSorted(), name);
  }
});

Deno.test("main.ts runs commands with the permissions that they keep", async () => {
  using dir = tempDir();
  const { trainer, bot } = world(dir);
  for (
    const [cwd, ...args] of [
      [trainer, "publish", "--skip-training"],
      [bot, "pull"],
      [bot, "status"],
      [bot, "verify"],
      [bot, "config", "check"],
    ] as const
  ) {
    const [command, ...flags] = args;
    const result = await spawnCli(command, flags, { cwd, entry: "main" });
    assert.equal(result.code, 0, result.stderr);
  }
});

Deno.test("help needs no permission, and an unknown command gets a suggestion", async () => {
  const help = await new Deno.Command(Deno.execPath(), {
    args: cliArgs("--help", [], { permissions: [] }),
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(help.stdout);
  assert.equal(help.code, 0, new TextDecoder().decode(help.stderr));
  for (
    const command of [
      "publish",
      "pull",
      "runpod-pull",
      "train",
      "rollback",
      "status",
      "verify",
      "prune",
      "daemon",
      "doctor",
      "keys",
      "config",
    ]
  ) {
    assert.match(text, new RegExp(`^ {2}${command} `, "m"));
  }
  const unknown = await spawnCli("pul", [], { cwd: Deno.cwd() });
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /no such command; did you mean "pull"/);
  for (const command of ["publish", "pull", "daemon"]) {
    const own = await spawnCli(command, ["--help"], { cwd: Deno.cwd(), entry: "script", permissions: [] });
    assert.equal(own.code, 0, own.stderr);
    assert.match(own.stdout, /--repo-models-subdir/);
  }
});
