import assert from "node:assert/strict";
import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { InterruptedError, UnreachableError } from "../../lib/core/errors.ts";
import { FileControl } from "../../lib/daemon/control.ts";
import { DaemonHealth } from "../../lib/daemon/daemon_health.ts";
import type { Role } from "../../lib/config/roles.ts";
import { pauseRoles, pausesPath, readPauses, resumeRoles } from "../../lib/store/pauses.ts";
import { findRunRequest, requestRun, runRequestsPath } from "../../lib/store/run_requests.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { type RecordedLog, testContext } from "../helpers/test_context.ts";

const ROLES: readonly Role[] = ["client", "publisher"];
const HOUR_MS = 3_600_000;

class World {
  readonly clock = new FakeClock("2026-11-29T12:00:00Z");
  readonly stopping = new AbortController();
  readonly context: Context & { readonly log: RecordedLog };
  readonly store: Store;
  readonly health: DaemonHealth;

  constructor(dir: TempDir, replaced: Partial<Context> = {}) {
    this.context = testContext({ clock: this.clock, signal: this.stopping.signal, ...replaced });
    this.store = openStore(this.context.fs, { modelsDir: join(dir.path, "models") }, this.context.log);
    this.health = new DaemonHealth(this.clock, ROLES);
  }

  control(): FileControl {
    return new FileControl(this.context, this.store, ROLES, this.health);
  }

  pause(role: Role, forMs?: number): void {
    const since = this.clock.now();
    const until = forMs === undefined ? null : new Date(since.getTime() + forMs).toISOString();
    pauseRoles(this.store, [role], {
      since: since.toISOString(),
      until,
      host: "bot",
      reason: "moving house",
    });
  }

  request(role: Role, id: string): void {
    requestRun(this.store, role, { id, at: this.clock.now().toISOString(), host: "bot" });
  }

  get log(): string {
    return this.context.log.lines.join("\n");
  }
}

Deno.test("a pause takes effect at once, for its role only, until it is resumed", () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  assert.equal(control.pausedUntil("client"), undefined);
  world.pause("client");
  assert.equal(control.pausedUntil("client"), "resumed");
  assert.equal(control.pausedUntil("publisher"), undefined);
  assert.equal(world.health.roles()[0]?.pausedUntil, "resumed");
  resumeRoles(world.store, ["client"]);
  assert.equal(control.pausedUntil("client"), undefined);
  assert.deepEqual(world.context.log.lines, [
    "info client: paused until resumed on bot: moving house",
    "info client: resumed",
  ]);
});

Deno.test("a pause with an end is over at that time, also in the store", () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  world.pause("client", 2 * HOUR_MS);
  assert.deepEqual(control.pausedUntil("client"), new Date("2026-11-29T14:00:00Z"));
  world.clock.advance(2 * HOUR_MS - 1);
  assert.notEqual(control.pausedUntil("client"), undefined);
  world.clock.advance(1);
  assert.equal(control.pausedUntil("client"), undefined);
  assert.match(world.log, /client: the pause is over/);
  assert.deepEqual(readPauses(world.store, new Date(0)), {});
});

/** A clock whose wall time jumps while its monotonic time advances. */
class JumpingClock extends FakeClock {
  jumpMs = 0;

  override now(): Date {
    return new Date(super.now().getTime() + this.jumpMs);
  }
}

Deno.test("a clock that is set back does not prolong a pause, not even across a restart of the daemon", () => {
  using dir = tempDir();
  const clock = new JumpingClock("2026-11-29T12:00:00Z");
  const world = new World(dir, { clock });
  const control = world.control();
  world.pause("client", 2 * HOUR_MS);
  assert.notEqual(control.pausedUntil("client"), undefined);
  clock.jumpMs = -24 * HOUR_MS;
  const restarted = world.control();
  clock.advance(2 * HOUR_MS - 1);
  assert.notEqual(control.pausedUntil("client"), undefined);
  assert.notEqual(restarted.pausedUntil("client"), undefined);
  clock.advance(1);
  assert.equal(control.pausedUntil("client"), undefined);
  assert.equal(restarted.pausedUntil("client"), undefined);
});

Deno.test("a starting daemon knows earlier pauses, and does not log those that are over", () => {
  using dir = tempDir();
  const world = new World(dir);
  world.pause("client");
  world.pause("publisher", HOUR_MS);
  world.clock.advance(HOUR_MS);
  const control = world.control();
  assert.equal(control.pausedUntil("client"), "resumed");
  assert.equal(control.pausedUntil("publisher"), undefined);
  assert.doesNotMatch(world.log, /publisher/);
});

Deno.test("a requested run is taken once, also while the role is paused, and the store has its end", async () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  world.pause("client");
  assert.equal(control.takeRequest("client"), false);
  world.request("client", "one");
  assert.equal(control.takeRequest("publisher"), false);
  assert.equal(control.takeRequest("client"), true);
  assert.equal(control.takeRequest("client"), false);
  assert.equal(findRunRequest(world.store, "client", "one")?.takenAt, "2026-11-29T12:00:00.000Z");
  await control.perform("client", () => {
    assert.ok(world.health.roles()[0]?.runningSince);
    return Promise.resolve();
  });
  assert.deepEqual(findRunRequest(world.store, "client", "one")?.end, { exitCode: 0 });
  assert.match(world.log, /client: running now, as requested at 2026-11-29T12:00:00\.000Z on bot/);
});

Deno.test("a requested run that fails is noted with its error, and the error reaches the loop", async () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  const unreachable = new UnreachableError("no network", { code: "NETWORK", hint: "check the cable" });
  const stopped = new InterruptedError("stopped", { code: "INTERRUPTED" });
  const faults = [
    [unreachable, { exitCode: 4, message: "no network", hint: "check the cable" }],
    [stopped, { exitCode: 130, message: "stopped" }],
    [new TypeError("a bug"), { exitCode: 1, message: "a bug" }],
  ] as const;
  for (const [error, end] of faults) {
    world.request("client", error.message);
    assert.equal(control.takeRequest("client"), true);
    await assert.rejects(control.perform("client", () => Promise.reject(error)), error);
    assert.deepEqual(findRunRequest(world.store, "client", error.message)?.end, end);
  }
});

Deno.test("a request during a run of its role starts another run", async () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  await control.perform("client", () => {
    world.request("client", "one");
    return Promise.resolve();
  });
  assert.equal(findRunRequest(world.store, "client", "one")?.end, undefined);
  assert.equal(control.takeRequest("client"), true);
});

Deno.test("a starting daemon takes the requests of the last hour and drops older ones", () => {
  using dir = tempDir();
  const world = new World(dir);
  world.request("publisher", "old");
  world.clock.advance(1);
  world.request("client", "young");
  world.clock.advance(HOUR_MS);
  const control = world.control();
  assert.equal(control.takeRequest("client"), true);
  assert.equal(control.takeRequest("publisher"), false);
  assert.match(world.log, /warn publisher: dropped the run requested at 2026-11-29T12:00:00\.000Z/);
});

Deno.test("a starting daemon ends the requests whose runs its predecessor did not finish", () => {
  using dir = tempDir();
  const world = new World(dir);
  world.request("client", "one");
  assert.equal(world.control().takeRequest("client"), true);
  world.control();
  const end = findRunRequest(world.store, "client", "one")?.end;
  assert.deepEqual([end?.exitCode, end?.message], [130, "the daemon ended before the run did"]);
});

Deno.test("a busy daemon keeps a request, however long it waits", () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  world.request("client", "one");
  world.clock.advance(10 * HOUR_MS);
  assert.equal(control.takeRequest("client"), true);
});

Deno.test("the loops wake within five seconds of an operator's command, and at the end of a pause", async () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  let woken = 0;
  const watching = control.watch(() => void woken++);
  const after = async (durationMs: number) => {
    woken = 0;
    world.clock.advance(durationMs);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    return woken;
  };
  assert.equal(await after(5_000), 0);
  world.pause("client", 60_000);
  assert.equal(await after(5_000), 1);
  assert.equal(await after(5_000), 0);
  assert.equal(await after(60_000), 1);
  world.request("publisher", "one");
  assert.equal(await after(5_000), 1);
  assert.equal(control.takeRequest("publisher"), true);
  assert.equal(await after(5_000), 0);
  world.stopping.abort();
  await watching;
});

Deno.test("on a full disk, a requested run runs, and only once", () => {
  using dir = tempDir();
  let isFull = false;
  const fs = {
    ...Deno,
    openSync(path: string | URL, options?: Deno.OpenOptions) {
      if (isFull && options?.write) {
        throw Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
      }
      return Deno.openSync(path, options);
    },
  };
  const world = new World(dir, { fs });
  const control = world.control();
  world.request("client", "one");
  isFull = true;
  assert.equal(control.takeRequest("client"), true);
  assert.equal(control.takeRequest("client"), false);
  assert.match(world.log, /Cannot write .*run_now\.json: the disk is full/);
});

Deno.test("damaged control files, and other entries in their place, stop no daemon", () => {
  using dir = tempDir();
  const world = new World(dir);
  const control = world.control();
  world.pause("client");
  assert.equal(control.pausedUntil("client"), "resumed");
  Deno.writeTextFileSync(join(world.store.root, "paused.json"), "{");
  assert.equal(control.pausedUntil("client"), undefined);
  assert.match(world.log, /paused\.json is damaged/);
  Deno.removeSync(join(world.store.root, "paused.json"));
  Deno.symlinkSync("paused.json", join(world.store.root, "paused.json"));
  Deno.mkdirSync(join(world.store.root, "run_now.json"));
  assert.equal(control.pausedUntil("client"), undefined);
  assert.equal(control.takeRequest("client"), false);
});

Deno.test("a damaged list of pauses is replaced by the next writer, and logged once", () => {
  for (const damage of ["{", "[]", '{"client": {"since": 5}}', "\0\0\0"]) {
    using dir = tempDir();
    const world = new World(dir);
    Deno.writeTextFileSync(pausesPath(world.store), damage);
    // A reader leaves it.
    readPauses(world.store, new Date());
    assert.equal(Deno.readTextFileSync(pausesPath(world.store)), damage);
    const daemon = new World(dir);
    assert.equal(daemon.control().pausedUntil("client"), undefined);
    assert.equal(daemon.context.log.lines.length, 1, daemon.log);
    assert.match(daemon.log, /paused\.json is damaged and is rebuilt/);
    const next = new World(dir);
    next.control();
    readPauses(next.store, new Date());
    assert.deepEqual(next.context.log.lines, []);
    Deno.writeTextFileSync(pausesPath(world.store), damage);
    resumeRoles(world.store, ["client"]);
    assert.equal(Deno.readTextFileSync(pausesPath(world.store)), "{}\n");
  }
});

Deno.test("a damaged list of requested runs is replaced when the daemon starts", () => {
  using dir = tempDir();
  const world = new World(dir);
  Deno.writeTextFileSync(runRequestsPath(world.store), "{");
  world.control();
  assert.match(world.log, /^warn [^\n]*run_now\.json is damaged and is rebuilt[^\n]*$/);
  const next = new World(dir);
  next.control();
  assert.deepEqual(next.context.log.lines, []);
});
