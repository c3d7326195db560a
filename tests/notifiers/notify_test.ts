import assert from "node:assert/strict";
import { ALERT_KINDS } from "../../lib/config/sections/alerts.ts";
import { systemClock } from "../../lib/core/clock.ts";
import { InterruptedError } from "../../lib/core/errors.ts";
import type { AlertEvent } from "../../lib/notifiers/alert.ts";
import { AlertSink } from "../../lib/notifiers/alert_sink.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { OUTCOMES } from "../../lib/store/history.ts";
import { openStore } from "../../lib/store/store.ts";
import { startRecordingHost } from "../../fakes/recording_host.ts";
import { alertContext, alertOf, alerts, eventOf } from "../helpers/alert_world.ts";
import { countingFs } from "../helpers/counting_fs.ts";
import { NEW_DIGEST, OLD_DIGEST } from "../helpers/reload_world.ts";
import { tempDir } from "../helpers/temp_dir.ts";

/** The alerts that a chat channel gets for runs, one after the other, and the state of the channel. */
function startChannel(on?: readonly string[], ...answers: (() => Response | Promise<Response>)[]) {
  const dir = tempDir();
  const host = startRecordingHost(...answers);
  const context = alertContext();
  const settings = alerts({
    ...(on === undefined ? {} : { on }),
    chat: [{ type: "slack", url: host.origin }],
  });
  const stateDir = `${dir.path}/store`;
  const memory = `${stateDir}/alerts.json`;
  return {
    context,
    host,
    memory,
    settings,
    stateDir,
    run: (changed: Partial<AlertEvent>) => alertOf(context, settings, stateDir, eventOf(changed)),
    titles: () => host.requests.map(({ body }) => /"text":"\*(.*?)\*/.exec(body)?.[1]),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

const FINE = { outcome: "unchanged", error: undefined } as const;

Deno.test("a repeated failure is alerted once, until it changes", async () => {
  await using channel = startChannel();
  for (let count = 0; count < 3; count++) await channel.run({ runId: `run-${count}` });
  assert.equal(channel.host.requests.length, 1);
  await channel.run({ error: { code: "DISK", message: "the disk is full" } });
  await channel.run({ outcome: "refused", error: { code: "DIGEST", message: "x" }, release: NEW_DIGEST });
  await channel.run({ outcome: "refused", error: { code: "DIGEST", message: "y" }, release: NEW_DIGEST });
  await channel.run({ outcome: "refused", error: { code: "DIGEST", message: "x" }, release: OLD_DIGEST });
  await channel.run({ command: "hf-pull", error: { code: "DISK", message: "the disk is full" } });
  assert.deepEqual(channel.titles(), [
    "Model sync failed on bot-1 (pull): UNREACHABLE",
    "Model sync failed on bot-1 (pull): DISK",
    "New models refused on bot-1 (pull): DIGEST",
    "New models refused on bot-1 (pull): DIGEST",
    "Model sync failed on bot-1 (hf-pull): DISK",
  ]);
});

Deno.test("a failed release is not alerted again whenever its quarantine refuses it", async () => {
  await using channel = startChannel();
  const quarantined = { outcome: "refused", error: { code: "QUARANTINED", message: "x" } } as const;
  await channel.run({ outcome: "rolled-back", error: { code: "RELOAD_FAILED", message: "x" } });
  await channel.run(quarantined);
  await channel.run(quarantined);
  assert.equal(channel.host.requests.length, 1);
  await channel.run(FINE);
  await channel.run(quarantined);
  assert.deepEqual(channel.titles().slice(1), [
    "Model sync works again on bot-1 (pull), after 4.1 s",
    "New models refused on bot-1 (pull): QUARANTINED",
  ]);
});

Deno.test("a withdrawn release is not alerted again whenever the pulls after its rollback refuse it", async () => {
  await using channel = startChannel();
  const refused = { outcome: "refused", error: { code: "WITHDRAWN", message: "x" } } as const;
  await channel.run({ outcome: "rolled-back", error: { code: "WITHDRAWN", message: "x" } });
  await channel.run(refused);
  await channel.run(refused);
  assert.equal(channel.host.requests.length, 1);
  await channel.run(FINE);
  await channel.run(refused);
  await channel.run(refused);
  assert.deepEqual(channel.titles().slice(1), [
    "Model sync works again on bot-1 (pull), after 4.1 s",
    "New models refused on bot-1 (pull): WITHDRAWN",
  ]);
});

Deno.test("a command that works again is alerted once, with how long it had failed", async () => {
  await using channel = startChannel();
  await channel.run({ startedAt: "2026-11-21T02:47:53Z" });
  await channel.run({ error: { code: "DISK", message: "x" } });
  await channel.run({ outcome: "interrupted" });
  await channel.run({ ...FINE, command: "publish" });
  await channel.run(FINE);
  await channel.run(FINE);
  assert.deepEqual(channel.titles(), [
    "Model sync failed on bot-1 (pull): UNREACHABLE",
    "Model sync failed on bot-1 (pull): DISK",
    "Model sync works again on bot-1 (pull), after 3 h 12 min",
  ]);
  await channel.run({});
  assert.equal(channel.host.requests.length, 4);
});

Deno.test("new models after a failure are one alert, which says both", async () => {
  await using channel = startChannel(["failed", "recovered", "activated"]);
  await channel.run({ startedAt: "2026-11-21T05:00:00Z" });
  await channel.run({ outcome: "activated", error: undefined });
  assert.equal(channel.titles()[1], "New models installed - version 2026-11-21T06:00:00Z");
  assert.match(channel.host.requests[1]?.body ?? "", /Down for: 1 h\b/);
  await channel.run({ outcome: "activated", error: undefined });
  assert.doesNotMatch(channel.host.requests[2]?.body ?? "", /Down for/);
});

Deno.test("only configured kinds are alerted, and a failure without an alert has no recovery", async () => {
  await using channel = startChannel(["published", "recovered"]);
  for (const outcome of OUTCOMES) await channel.run({ outcome });
  assert.deepEqual(channel.titles(), ["New models published - version 2026-11-21T06:00:00Z"]);
  const kept: { channels: Record<string, { failing: object }> } = JSON.parse(
    Deno.readTextFileSync(channel.memory),
  );
  assert.deepEqual(Object.values(kept.channels).map(({ failing }) => failing), [{}]);
});

Deno.test("every outcome can be alerted, each with its own title", async () => {
  assert.deepEqual(new Set<string>(ALERT_KINDS), new Set<string>([...OUTCOMES, "recovered"]));
  await using channel = startChannel([...ALERT_KINDS]);
  for (const outcome of OUTCOMES) await channel.run({ outcome, command: `c-${outcome}`, error: undefined });
  assert.equal(new Set(channel.titles()).size, OUTCOMES.length);
});

Deno.test("a failure whose alert could not be sent is alerted at the next run", async () => {
  await using channel = startChannel(
    undefined,
    () => new Response("no", { status: 403 }),
    () => new Response("ok"),
  );
  await channel.run({});
  await channel.run({});
  await channel.run({});
  assert.equal(channel.host.requests.length, 2);
});

Deno.test("a channel that fails does not affect the others", async () => {
  using dir = tempDir();
  await using broken = startRecordingHost(() => new Response("no", { status: 403 }));
  await using working = startRecordingHost(() => new Response("ok"));
  const context = alertContext();
  const settings = alerts({
    email: { host: "127.0.0.1", port: 1, from: "a@example.com", to: "b@example.com" },
    webhook: { url: broken.origin, secret_env: "UNSET" },
    chat: [{ type: "discord", url: broken.origin }, { type: "slack", url: working.origin }],
  });
  await alertOf(context, settings, `${dir.path}/alerts`, eventOf());
  await alertOf(context, settings, `${dir.path}/alerts`, eventOf());
  assert.equal(working.requests.length, 1);
  const warnings = context.log.lines.filter((line) => line.startsWith("warn cannot send"));
  // Each is retried at the end of every run.
  assert.deepEqual(warnings.map((line) => line.split(":")[0]).sort(), [
    "warn cannot send the alert by e-mail",
    "warn cannot send the alert by e-mail",
    "warn cannot send the alert by webhook",
    "warn cannot send the alert by webhook",
    "warn cannot send the alert to discord",
    "warn cannot send the alert to discord",
  ]);
});

Deno.test("channels that do not answer cost no more than the time of alerts in all", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  await using channel = startChannel(undefined, async () => {
    asked.resolve();
    await promise;
    return new Response("late");
  });
  const sending = channel.run({});
  await asked.promise;
  channel.context.clock.advance(30_000);
  await sending;
  resolve();
  assert.match(channel.context.log.lines.at(-1) ?? "", /^warn cannot send the alert to slack: /);
});

Deno.test("an interrupted run is alerted, too", async () => {
  await using channel = startChannel(["interrupted"]);
  const stopped = AbortSignal.abort(new InterruptedError("stopped", { code: "INTERRUPTED" }));
  const store = openStore(Deno, { modelsDir: `${channel.stateDir}-models`, stateDir: channel.stateDir });
  const context = { ...channel.context, signal: stopped, clock: systemClock, host: "bot-1" };
  const sinks = [new AlertSink(channel.settings, store)];
  const run = recordedRun(context, store, { command: "pull", lock: "store", sinks }, () => {
    return Promise.reject(stopped.reason);
  });
  await assert.rejects(run, { code: "INTERRUPTED" });
  assert.deepEqual(channel.titles(), ["Model sync interrupted on bot-1 (pull)"]);
});

Deno.test("with a damaged or unwritable state, the only effect is that alerts may repeat", async () => {
  await using channel = startChannel();
  Deno.mkdirSync(channel.stateDir);
  for (const damage of ["{", "[]", '{"pull":{"what":1}}', '{"pull":{"what":"x","since":"yesterday"}}']) {
    Deno.writeTextFileSync(channel.memory, damage);
    await channel.run({});
  }
  assert.equal(channel.host.requests.length, 4);
  assert.deepEqual(channel.context.log.lines, []);
  const fs = countingFs(() => {
    throw new Deno.errors.PermissionDenied("read-only");
  });
  await alertOf(
    { ...channel.context, fs },
    channel.settings,
    channel.stateDir,
    eventOf({ error: { code: "OTHER", message: "x" } }),
  );
  assert.equal(channel.host.requests.length, 5);
  assert.match(
    channel.context.log.lines.join("\n"),
    /^warn cannot remember which alerts were sent: read-only/,
  );
});

Deno.test("the memory is bounded, whatever commands there are", async () => {
  await using channel = startChannel();
  for (let count = 0; count < 60; count++) await channel.run({ command: `command-${count}` });
  const kept: { channels: Record<string, { failing: object }> } = JSON.parse(
    Deno.readTextFileSync(channel.memory),
  );
  const [{ failing } = { failing: {} }] = Object.values(kept.channels);
  assert.deepEqual(Object.keys(failing).length, 50);
  assert.ok("command-59" in failing);
});

Deno.test("without a channel nothing is read, written or sent", async () => {
  const context = {
    ...alertContext(),
    fs: new Proxy(countingFs(() => {}), {
      get: () => {
        throw new Error("touched the disk");
      },
    }),
  };
  await alertOf(context, alerts({}), "/nowhere/alerts.json", eventOf());
  assert.deepEqual(context.log.lines, []);
});
