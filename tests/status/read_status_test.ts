import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../lib/config/schema.ts";
import { Status } from "../../lib/wire/schema.ts";
import { configuredRoles } from "../../lib/config/roles.ts";
import { readStatus } from "../../lib/status/read_status.ts";
import { announceDaemon } from "../../lib/store/daemons.ts";
import { pauseRoles } from "../../lib/store/pauses.ts";
import { releaseDirName } from "../../lib/store/releases.ts";
import { addQuarantine } from "../../lib/store/quarantine.ts";
import { markRun } from "../../lib/store/running.ts";
import { rememberRoleTimes } from "../../lib/store/schedule_state.ts";
import { findStore, openStore } from "../../lib/store/store.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { pulledReleases, storeOf } from "../helpers/machines.ts";
import { digestOf } from "../helpers/report_events.ts";
import { memoryDir } from "../helpers/temp_dir.ts";
import { testContext } from "../helpers/test_context.ts";

const CLOCK = new QuickClock("2026-11-21T05:00:00Z");
const SETTINGS = ModelSync.parse({
  time_zone: "Europe/Paris",
  client: {
    schedule: ["06:30", "0 18 * * *"],
    splay: "5m",
    catch_up_within: "2h",
    deny: [{ cron: "0 9 * * 1-5", duration: "8h" }],
  },
});

Deno.test("readStatus() returns the state of the store and the settings, valid in the shared schema", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "1" }, { "a.bin": "22" }]);
  const context = testContext({ clock: CLOCK, freeBytes: () => Promise.resolve(4096) });
  const store = storeOf(context, bot);
  addQuarantine(store, { digest: digestOf("e"), sequence: 9, reason: "too old", at: "2026-11-20T00:00:00Z" });
  const pause = { since: "2026-11-21T04:00:00Z", until: null, host: "bot-1", reason: "maintenance" };
  pauseRoles(store, ["client"], pause);
  using _mark = markRun(context, store, {
    runId: "run-9",
    command: "verify",
    startedAt: "2026-11-21T05:00:00Z",
  });
  using _daemon = await announceDaemon(context, store, ["client"]);
  const status = await readStatus(context, { settings: SETTINGS, location: bot, store }, 1);
  assert.deepEqual(Status.parse(status), status);
  assert.deepEqual([status.current?.sequence, status.previous?.sequence, status.releases.length], [2, 1, 2]);
  assert.deepEqual(status.runs.map(({ outcome }) => outcome), ["activated"]);
  assert.deepEqual([status.modelFolder, status.modelFolderFault, status.freeBytes], ["linked", null, 4096]);
  assert.equal(status.activatedAt, status.runs[0]?.startedAt);
  assert.deepEqual(status.quarantine.map(({ reason }) => reason), ["too old"]);
  assert.equal(status.next["client"], "2026-11-21T05:30:00.000Z");
  assert.deepEqual(status.schedules["client"], {
    times: ["06:30", "0 18 * * *"],
    timeZone: "Europe/Paris",
    splaySeconds: 300,
    catchUpSeconds: 7_200,
    deny: [{ start: "0 9 * * 1-5", seconds: 28_800 }],
    paused: pause,
  });
  assert.equal(status.schedules["publisher"]?.catchUpSeconds, null);
  assert.deepEqual(status.paused, { client: pause });
  assert.deepEqual(status.running, [
    { runId: "run-9", command: "verify", startedAt: "2026-11-21T05:00:00Z", step: null },
  ]);
  assert.deepEqual(status.daemons.map(({ role, pid }) => [role, pid]), [["client", Deno.pid]]);
});

Deno.test("readStatus() without a store returns the configured due times", async () => {
  using dir = memoryDir();
  const location = { modelsDir: `${dir.path}/models` };
  const context = testContext({ clock: CLOCK });
  const store = findStore(context.fs, location);
  const status = await readStatus(context, { settings: SETTINGS, location, store }, 5);
  assert.deepEqual(Status.parse(status), status);
  assert.deepEqual([status.stateDir, status.current, status.runs], [null, null, []]);
  assert.deepEqual(Object.keys(status.next), ["publisher", "client"]);
});

Deno.test("readStatus() reports a damaged quarantine as a fault; the rest is complete", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "1" }]);
  const context = testContext({ clock: CLOCK });
  const store = storeOf(context, bot);
  Deno.writeTextFileSync(store.quarantine, "{");
  const status = await readStatus(context, { settings: SETTINGS, location: bot, store }, 5);
  assert.match(status.quarantineFault ?? "", /it is not a list of quarantined releases/);
  assert.equal(status.current?.sequence, 1);
});

Deno.test("readStatus() reports a damaged pointer or manifest of the active release as a fault; the rest is complete", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "1" }, { "a.bin": "22" }]);
  const context = testContext({ clock: CLOCK });
  const store = storeOf(context, bot);
  const read = async () => await readStatus(context, { settings: SETTINGS, location: bot, store }, 5);
  const whole = await read();
  assert.equal(whole.currentFault, null);
  const name = releaseDirName(whole.current?.digest ?? digestOf("a"));
  const manifest = join(store.releases, `${name}.json`);
  Deno.chmodSync(manifest, 0o644);
  Deno.writeTextFileSync(manifest, "{");
  const unknown = await read();
  assert.match(
    unknown.currentFault ?? "",
    /^Cannot read release [0-9a-f]{12}: .*; pull it again with --force: model-sync pull$/,
  );
  const seen = (status: Status) => [status.current, status.previous?.sequence, status.runs.length];
  assert.deepEqual(seen(unknown), [null, 1, 2]);
  Deno.removeSync(join(store.root, "current"));
  Deno.symlinkSync("elsewhere", join(store.root, "current"));
  const lost = await read();
  assert.match(
    lost.currentFault ?? "",
    /^Cannot read the pointer .*current: it says "elsewhere".*; model-sync rollback may restore it/,
  );
  assert.deepEqual(seen(lost), [null, 1, 2]);
  assert.deepEqual(Status.parse(lost), lost);
});

Deno.test("readStatus() knows the time of an activation that is not in the history any more", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "1" }]);
  const context = testContext();
  const store = storeOf(context, bot);
  const read = async () => await readStatus(context, { settings: SETTINGS, location: bot, store }, 0);
  const { activatedAt } = await read();
  const unchanged = JSON.stringify({
    runId: "r",
    command: "pull",
    outcome: "unchanged",
    startedAt: "2026-11-21T04:00:00Z",
    durationMs: 5,
    host: "bot",
  });
  Deno.writeTextFileSync(store.history, `${unchanged}\n`.repeat(1_100), { append: true });
  const later = (await read()).activatedAt;
  assert.ok(activatedAt !== null && later !== null);
  // The run began before it activated.
  assert.ok(Math.abs(Date.parse(later) - Date.parse(activatedAt)) < 60_000, `${activatedAt} ${later}`);
});

Deno.test("readStatus() names the roles of running daemons, also those that are not configured", async () => {
  using dir = memoryDir();
  const location = { modelsDir: `${dir.path}/models` };
  const context = testContext({ clock: CLOCK });
  const store = openStore(context.fs, location);
  using _daemon = await announceDaemon(context, store, ["references", "huggingface_client"]);
  const status = await readStatus(context, { settings: SETTINGS, location, store, at: "07:00" }, 5);
  const roles = ["publisher", "client", "huggingface_client", "references"];
  assert.deepEqual(Object.keys(status.next), roles);
  assert.deepEqual(Object.keys(status.schedules), roles);
  assert.deepEqual(status.schedules["references"]?.times, ["07:00"]);
  assert.deepEqual(status.daemons.map(({ role }) => role), ["huggingface_client", "references"]);
});

Deno.test("a due time that passed stays while a daemon has the role, until a run has begun since", async () => {
  using dir = memoryDir();
  const { bot } = await pulledReleases(dir.path, [{ "a.bin": "1" }]);
  const context = testContext({ clock: CLOCK });
  const store = storeOf(context, bot);
  const source = { settings: SETTINGS, location: bot, store };
  const next = async () => (await readStatus(context, source, 0)).next["client"];
  const passed = "2026-11-21T04:30:00.000Z";
  rememberRoleTimes(store, "client", { next: new Date(passed), due: undefined, served: [] });
  assert.equal(await next(), "2026-11-21T05:30:00.000Z");
  using _daemon = await announceDaemon(context, store, ["client"]);
  assert.equal(await next(), passed);
  using _mark = markRun(context, store, {
    runId: "run-1",
    command: "pull",
    startedAt: "2026-11-21T04:30:01Z",
  });
  assert.equal(await next(), "2026-11-21T05:30:00.000Z");
});

Deno.test("readStatus() names only configured roles", async () => {
  using dir = memoryDir();
  const location = { modelsDir: `${dir.path}/models` };
  const context = testContext({ clock: CLOCK });
  const rolesOf = async (settings: object) => {
    const parsed = ModelSync.parse(settings);
    const source = { settings: parsed, location, store: undefined, roles: configuredRoles(parsed) };
    const { next, schedules } = await readStatus(context, source, 0);
    assert.deepEqual(Object.keys(schedules), Object.keys(next));
    return Object.keys(next);
  };
  const repo_url = "https://example.com/models.git";
  assert.deepEqual(await rolesOf({}), []);
  assert.deepEqual(await rolesOf({ repo_url }), ["client"]);
  assert.deepEqual(await rolesOf({ repo_dir: "clone" }), ["client"]);
  assert.deepEqual(await rolesOf({ repo_url, publisher: { train_command: ["x"] } }), ["publisher", "client"]);
  assert.deepEqual(await rolesOf({ repo_url, publisher: { train_before_push: false } }), [
    "publisher",
    "client",
  ]);
  assert.deepEqual(await rolesOf({ publisher: { train_command: ["x"] } }), []);
  assert.deepEqual(await rolesOf({ huggingface: { repo_id: "you/models" } }), ["huggingface_client"]);
  assert.deepEqual(await rolesOf({ runpod: { trigger_url: "https://api.runpod.ai/v2/x/run" } }), [
    "runpod_client",
  ]);
  assert.deepEqual(await rolesOf({ artifacts: { owner: "you", repository: "bot" } }), ["artifact_client"]);
  assert.deepEqual(await rolesOf({ references: { primary_url: "https://example.com" } }), ["references"]);
});
