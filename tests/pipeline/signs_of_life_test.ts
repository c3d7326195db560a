import assert from "node:assert/strict";
import { join } from "node:path";
import { Output } from "../../cli/_output.ts";
import { Validate } from "../../lib/config/sections/validate.ts";
import type { Context } from "../../lib/core/context.ts";
import { waitForRelease } from "../../lib/redeploy/wait_for_release.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { reloadConsumers } from "../../lib/reload/reload_consumers.ts";
import { train } from "../../lib/training/train.ts";
import type { Checker } from "../../lib/validators/checker.ts";
import { runCustomCommand } from "../../lib/validators/custom_command.ts";
import { FileChecks } from "../../lib/validators/file_checks.ts";
import { validateRelease } from "../../lib/validators/validate_release.ts";
import { FakeClock, QuickClock } from "../helpers/fake_clock.ts";
import { publisherOptions, uploadFrom } from "../helpers/hub_machines.ts";
import { machine, newTrainer, publishFrom, pullTo, registryOf } from "../helpers/machines.ts";
import { stagedFile } from "../helpers/model_files.ts";
import { RunPodWorld } from "../helpers/runpod_world.ts";
import { hooks, releaseOf } from "../helpers/reload_world.ts";
import { tempDir, writeFiles } from "../helpers/temp_dir.ts";
import { isolatedSpawn, testContext } from "../helpers/test_context.ts";

const START = "2026-11-21T00:00:00Z";
const SECOND_MS = 1_000;

/** A context on a fake clock whose log is printed without a terminal, and when each line was printed. */
function logged(clock: FakeClock, replaced: Partial<Context> = {}) {
  const lines: { readonly text: string; readonly atMs: number }[] = [];
  const stream = {
    writeSync: (bytes: Uint8Array) => {
      const text = new TextDecoder().decode(bytes).trimEnd().replace(/^\S+ \w+ +/, "");
      lines.push({ text, atMs: clock.monotonicMs() });
      return bytes.length;
    },
    isTerminal: () => false,
  };
  const screen = { stdout: stream, stderr: stream, noColor: true, clock, columns: () => undefined };
  const output = new Output({ json: false, logFormat: "text", level: "info" }, screen);
  const context: Context = { ...testContext({ clock, ...replaced }), log: output.log };
  return { context, lines, texts: () => lines.map(({ text }) => text) };
}

/** Advances the clock second by second, until the work ends. */
function wait(clock: FakeClock, seconds: number): void {
  for (let second = 0; second < seconds; second++) clock.advance(SECOND_MS);
}

/** A clock that skips pauses second by second, as reports of work arrive. */
class SteadyClock extends QuickClock {
  override advance(durationMs: number): void {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= SECOND_MS) super.advance(Math.min(leftMs, SECOND_MS));
  }
}

/** Makes the named git commands last 40 seconds. */
function slowGit(clock: FakeClock, ...commands: readonly string[]): Context["spawn"] {
  return (request) => {
    const running = isolatedSpawn(request);
    if (commands.some((command) => request.args.includes(command))) wait(clock, 40);
    return running;
  };
}

function assertSpoken(texts: readonly string[], label: string): void {
  const spoken = texts.filter((text) => text.startsWith(`${label}: `));
  assert.ok(spoken.length >= 2, `${label} in:\n${texts.join("\n")}`);
}

Deno.test("publish() to git logs the running git command at least every 15 s", async () => {
  using dir = tempDir();
  const clock = new FakeClock(START);
  const trainer = newTrainer(dir.path);
  const { context, lines, texts } = logged(clock, {
    spawn: slowGit(clock, "ls-remote", "update-index", "commit-tree", "push"),
  });
  await publishFrom(context, trainer);
  for (const command of ["ls-remote", "update-index", "commit-tree", "push"]) {
    assertSpoken(texts(), `git ${command}`);
  }
  const gapsMs = lines.slice(1).map(({ atMs }, index) => atMs - (lines[index]?.atMs ?? 0));
  assert.ok(Math.max(...gapsMs) <= 15 * SECOND_MS, `${gapsMs}`);
});

Deno.test("pull() from git logs at least every 15 s that a fetch is running", async () => {
  using dir = tempDir();
  const clock = new FakeClock(START);
  const trainer = newTrainer(dir.path);
  await publishFrom(testContext(), trainer);
  const { context, texts } = logged(clock, { spawn: slowGit(clock, "fetch") });
  await pullTo(context, machine(dir.path, "bot", registryOf(trainer)));
  assertSpoken(texts(), "git fetch");
});

Deno.test("a pull from RunPod logs the state of its job at least every 15 s", async () => {
  using dir = tempDir();
  await using world = new RunPodWorld(dir.path);
  await world.offer({ "rf.bin": "one" });
  world.api.script = [
    ...Array.from({ length: 6 }, () => ({ status: "IN_PROGRESS", output: "training" })),
    ...world.scriptOf({ models_archive_url: world.archiveUrl }),
  ];
  const clock = new SteadyClock(START, 15_000);
  world.api.now = () => clock.now();
  const { context, lines, texts } = logged(clock);
  await world.pullTo(join(dir.path, "bot/models"), context, { pollIntervalMs: 15_000 });
  const spoken = texts().filter((text) => /^RunPod job \S+: .* so far$/.test(text));
  assert.ok(spoken.length >= 5, texts().join("\n"));
  const gapsMs = lines.slice(1).map(({ atMs }, index) => atMs - (lines[index]?.atMs ?? 0));
  assert.ok(Math.max(...gapsMs) <= 15 * SECOND_MS, `${gapsMs}`);
});

Deno.test("an upload logs at least every 15 s while the hub processes the commit", async () => {
  using dir = tempDir();
  Deno.mkdirSync(join(dir.path, "objects"));
  await using server = new HubServer(join(dir.path, "objects"));
  writeFiles(join(dir.path, "models"), { "model.bin": "one" });
  const clock = new FakeClock(START);
  const { context, texts } = logged(clock, {
    http: async (input, init) => {
      const response = await fetch(input, init);
      if (String(input).includes("/commit/")) wait(clock, 60);
      return response;
    },
  });
  await uploadFrom(context, join(dir.path, "models"), publisherOptions(server));
  assertSpoken(texts(), "uploading");
});

/** Makes the operator's own programs print nothing for 40 seconds. */
function silentProgram(clock: FakeClock): Context["spawn"] {
  return (request) => {
    const running = isolatedSpawn(request);
    wait(clock, 40);
    return running;
  };
}

Deno.test("a training that prints nothing is logged at least every 15 s", async () => {
  const clock = new FakeClock(START);
  const { context, texts } = logged(clock, { spawn: silentProgram(clock) });
  const options = { paper: false, symbols: [], scope: "default", maxModelAgeHours: undefined } as const;
  const settings = { command: ["git", "--version"], timeoutMs: 60_000, modelsDir: "models" };
  await train(context, settings, options, () => {});
  assertSpoken(texts(), "training");
});

Deno.test("a validate_command that prints nothing is logged at least every 15 s", async () => {
  using dir = tempDir();
  writeFiles(dir.path, { "a.bin": "a" });
  const clock = new FakeClock(START);
  const { context, texts } = logged(clock, { spawn: silentProgram(clock) });
  const custom = { timeoutMs: 60_000, dir: dir.path, digest: "sha256:01", activeDir: undefined };
  await runCustomCommand(context, { command: ["git", "-c", "alias.ok=!true", "ok"], ...custom });
  assertSpoken(texts(), "validate_command");
});

Deno.test("a slow reload is logged at least every 15 s", async () => {
  using release = releaseOf({ "a.onnx": "a" });
  const clock = new FakeClock(START);
  const { context, texts } = logged(clock, { spawn: silentProgram(clock) });
  await reloadConsumers(context, hooks({ type: "command", command: ["git", "--version"] }), release.news);
  assertSpoken(texts(), "reloading git");
});

Deno.test("a slow validation is logged at least every 15 s", async () => {
  using dir = tempDir();
  const clock = new FakeClock(START);
  const { context, texts } = logged(clock);
  const slow: Checker = {
    format: "slow",
    extensions: [".p"],
    passesUnchanged: false,
    looksLike: () => false,
    check: () => wait(clock, 40),
  };
  const request = {
    dir: dir.path,
    files: [stagedFile(dir.path, "a.p", "a")],
    digest: "sha256:0123",
    createdAt: START,
    active: undefined,
    settings: Validate.parse({}),
  };
  await validateRelease(context, request, new FileChecks(context, request, [slow]));
  assertSpoken(texts(), "validating");
});

Deno.test("a slow deployment is logged at least every 15 s", async () => {
  const { context, texts } = logged(new SteadyClock(START), {
    http: () => Promise.resolve(Response.json({ release: "another" })),
  });
  const options = {
    url: "https://backend.example/health",
    token: undefined,
    field: undefined,
    timeoutMs: 60_000,
    pollMs: 5_000,
    requestTimeoutMs: 24 * 3_600_000,
  };
  const waiting = waitForRelease(context, `sha256:${"0123456789abcdef".repeat(4)}`, options);
  await assert.rejects(waiting, { code: "RELEASE_NOT_SERVED" });
  assertSpoken(texts(), "waiting for release 0123456789ab");
});
