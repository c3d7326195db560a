import assert from "node:assert/strict";
import {
  NO_CONTROL,
  type RoleControl,
  type RoleJob,
  type RoleLoopOptions,
  runRole,
} from "../../lib/daemon/role_loop.ts";
import { anyOf, parseCalendar } from "../../lib/schedule/calendar.ts";
import type { RoleSchedule } from "../../lib/schedule/agenda.ts";
import type { RoleTimes } from "../../lib/store/schedule_state.ts";
import { FakeClock } from "./fake_clock.ts";
import { recordedLog } from "./test_context.ts";

/** Returns a schedule of these times in UTC, with a test's changes. */
export function utcSchedule(
  times: string | readonly string[],
  changed: Partial<RoleSchedule> = {},
): RoleSchedule {
  const list = [times].flat();
  return {
    times: list,
    calendar: anyOf(list.map((text) => parseCalendar(text, "UTC"))),
    isInterval: false,
    splayMs: 0,
    catchUpMs: Infinity,
    deny: [],
    ...changed,
  };
}

/** A denied window in UTC. */
export function utcWindow(start: string, hours: number): RoleSchedule["deny"][number] {
  return { start: parseCalendar(start, "UTC"), durationMs: hours * 3_600_000 };
}

/** The loop of a role on a clock that skips its sleeps. */
export class RoleStage {
  readonly clock: FakeClock;
  readonly log = recordedLog();
  /** The start times of the job. */
  readonly runs: string[] = [];
  /** The state that the store would keep. */
  remembered: RoleTimes | undefined;
  schedule: () => Promise<RoleSchedule>;
  /** Whether the file of the configuration has changed. */
  hasChanged = () => false;
  control: RoleControl = NO_CONTROL;
  /** Actions at given times: setting the clock, or suspending the machine until then. */
  jumps: [when: string, to: string][] = [];
  readonly #work: (run: number) => Promise<void>;

  constructor(
    start: string,
    schedule: string | readonly string[] | RoleSchedule,
    work: (run: number) => Promise<void> = () => Promise.resolve(),
  ) {
    this.clock = new FakeClock(start);
    const parsed = typeof schedule === "object" && "calendar" in schedule ? schedule : utcSchedule(schedule);
    this.schedule = () => Promise.resolve(parsed);
    this.#work = work;
  }

  /** The start times of the job as `21T06:00`: day of the month and time. */
  get shortRuns(): string[] {
    return this.runs.map((run) => run.slice(8, 16));
  }

  /** Runs a daemon until its clock shows this time, or the test stops it. */
  async runUntil(end: string, changed: Partial<RoleLoopOptions> = {}): Promise<void> {
    const stop = new AbortController();
    const job: RoleJob = {
      role: "client",
      schedule: () => this.schedule(),
      hasChanged: () => this.hasChanged(),
      run: async () => {
        this.runs.push(this.clock.now().toISOString());
        await this.#work(this.runs.length);
      },
    };
    await runRole(job, {
      clock: this.clock,
      log: this.log,
      signal: stop.signal,
      machine: "bot",
      runOnStart: false,
      jitter: () => 1,
      control: this.control,
      memory: {
        find: () => this.remembered,
        remember: (times) => {
          this.remembered = times;
        },
      },
      wake: (durationMs) => {
        assert.ok(durationMs > 0 && durationMs <= 60_000);
        this.clock.advance(durationMs);
        const [when = "", to = ""] = this.jumps[0] ?? [];
        if (this.clock.now() >= new Date(when)) {
          this.jumps.shift();
          this.clock.advance(Date.parse(to) - this.clock.now().getTime());
        }
        if (this.jumps.length === 0 && this.clock.now() >= new Date(end)) stop.abort();
        return Promise.resolve();
      },
      ...changed,
    });
  }
}
