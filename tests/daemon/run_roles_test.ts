import assert from "node:assert/strict";
import { join } from "node:path";
import { FailedError } from "../../lib/core/errors.ts";
import { NO_CONTROL, type RoleJob } from "../../lib/daemon/role_loop.ts";
import { type RolesOptions, runRoles } from "../../lib/daemon/run_roles.ts";
import type { Role } from "../../lib/config/roles.ts";
import { findDueTime, findRoleTimes, rememberRoleTimes } from "../../lib/store/schedule_state.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { utcSchedule } from "../helpers/role_stage.ts";
import { type TempDir, tempDir } from "../helpers/temp_dir.ts";
import { recordedLog } from "../helpers/test_context.ts";

function storeIn(dir: TempDir, fs: Store["fs"] = Deno): Store {
  return openStore(fs, { modelsDir: join(dir.path, "models") });
}

/** Roles whose loops share a clock, which advances by a minute when all of them wait. */
class Daemon {
  readonly clock = new FakeClock("2026-11-21T05:30:00Z");
  readonly log = recordedLog();
  readonly runs: string[] = [];
  readonly next: [Role, string][] = [];
  readonly #stop = new AbortController();
  readonly #store: Store;
  readonly #end: string;
  #waiting: (() => void)[] = [];

  constructor(store: Store, end: string) {
    this.#store = store;
    this.#end = end;
  }

  job(role: Role, times: string, work: () => Promise<void> = () => Promise.resolve()): RoleJob {
    return {
      role,
      schedule: () => Promise.resolve(utcSchedule(times)),
      run: async () => {
        this.runs.push(`${role} ${this.clock.now().toISOString().slice(8, 16)}`);
        await work();
      },
    };
  }

  /** @param loops how many loops wait before time passes: those that are not in a run */
  async run(
    jobs: readonly RoleJob[],
    loops: () => number,
    changed: Partial<RolesOptions> = {},
  ): Promise<void> {
    await runRoles(jobs, {
      context: { clock: this.clock, log: this.log, signal: this.#stop.signal, host: "bot" },
      store: this.#store,
      runOnStart: false,
      control: NO_CONTROL,
      jitter: () => 1,
      onNext: (role, next) => this.next.push([role, next.toISOString().slice(8, 16)]),
      ticks: {
        wake: async () => {
          const { promise, resolve } = Promise.withResolvers<void>();
          this.#waiting.push(resolve);
          if (this.#waiting.length >= loops()) this.#pass();
          await promise;
        },
      },
      ...changed,
    });
  }

  #pass(): void {
    this.clock.advance(60_000);
    if (this.clock.now() >= new Date(this.#end)) this.#stop.abort();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

Deno.test("a role whose run takes hours delays no other, and each keeps its own due times", async () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const daemon = new Daemon(store, "2026-11-21T09:10:00Z");
  const hours = Promise.withResolvers<void>();
  let isBusy = false;
  const jobs = [
    daemon.job("publisher", "06:00", async () => {
      isBusy = true;
      await hours.promise;
      isBusy = false;
    }),
    daemon.job("client", "0 6-9 * * *", () => {
      if (daemon.runs.length > 4) hours.resolve();
      return Promise.resolve();
    }),
  ];
  await daemon.run(jobs, () => isBusy ? 1 : 2);
  assert.deepEqual(daemon.runs, [
    "publisher 21T06:00",
    "client 21T06:00",
    "client 21T07:00",
    "client 21T08:00",
    "client 21T09:00",
  ]);
  assert.equal(findDueTime(store, "publisher")?.toISOString(), "2026-11-22T06:00:00.000Z");
  assert.equal(findDueTime(store, "client")?.toISOString(), "2026-11-22T06:00:00.000Z");
  assert.deepEqual(daemon.next.slice(0, 2), [["publisher", "21T06:00"], ["client", "21T06:00"]]);
});

Deno.test("a role that always fails has its own retries, and the others are not affected", async () => {
  using dir = tempDir();
  const daemon = new Daemon(storeIn(dir), "2026-11-22T06:30:00Z");
  const failing = daemon.job(
    "references",
    "06:00",
    () => Promise.reject(new FailedError("bad", { code: "X" })),
  );
  await daemon.run([failing, daemon.job("client", "06:15")], () => 2);
  assert.deepEqual(daemon.runs, [
    "references 21T06:00",
    "client 21T06:15",
    "references 22T06:00",
    "client 22T06:15",
  ]);
});

Deno.test("an unexpected error of one loop ends the daemon", async () => {
  using dir = tempDir();
  const daemon = new Daemon(storeIn(dir), "2026-11-22T06:30:00Z");
  const broken = {
    ...daemon.job("references", "06:00"),
    schedule: () => Promise.reject(new TypeError("bug")),
  };
  await assert.rejects(daemon.run([broken, daemon.job("client", "06:15")], () => 1), /bug/);
});

Deno.test("roles of one daemon and of several lose none of each other's times, and older files are read", () => {
  using dir = tempDir();
  const store = storeIn(dir);
  const path = join(store.root, "schedule.json");
  Deno.writeTextFileSync(path, '{"publisher": "2026-11-21T00:00:00.000Z"}');
  const due = new Date("2026-11-21T06:00:00Z");
  const times = { next: new Date("2026-11-21T06:04:00Z"), due, served: [[due, due]] } as const;
  rememberRoleTimes(store, "client", times);
  rememberRoleTimes(storeIn(dir), "references", { ...times, served: [] });
  assert.deepEqual(findRoleTimes(store, "client"), times);
  assert.equal(findDueTime(store, "publisher")?.toISOString(), "2026-11-21T00:00:00.000Z");
  assert.deepEqual(findRoleTimes(store, "references")?.served, []);
});

Deno.test("a full disk loses the remembered times with a warning, and the daemon continues", async () => {
  using dir = tempDir();
  const full: Store["fs"] = {
    ...Deno,
    renameSync(from, to) {
      if (String(to).endsWith("schedule.json")) {
        throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      }
      Deno.renameSync(from, to);
    },
  };
  const daemon = new Daemon(storeIn(dir, full), "2026-11-22T06:30:00Z");
  await daemon.run([daemon.job("client", "06:00")], () => 1);
  assert.deepEqual(daemon.runs, ["client 21T06:00", "client 22T06:00"]);
  assert.equal(daemon.log.lines.filter((line) => /^warn .*the disk is full/.test(line)).length, 1);
});
