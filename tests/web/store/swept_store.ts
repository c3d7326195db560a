import { FleetMemory } from "../../../web/store/fleet_memory.ts";
import { ingest } from "../../../web/store/ingest.ts";
import { sweep } from "../../../web/store/retention.ts";
import type { ReportEvent } from "../../../lib/wire/schema.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";

const DAY_MS = 24 * 3_600_000;

/** A dashboard's database whose entries age by the clock of the test. */
export class SweptStore implements Disposable {
  readonly kv: Deno.Kv;
  readonly clock: FakeClock;
  readonly fleet: FleetMemory;

  constructor(kv: Deno.Kv, clock: FakeClock) {
    this.kv = kv;
    this.clock = clock;
    this.fleet = new FleetMemory(kv);
  }

  /** Returns the time `days` before now. */
  daysAgo(days: number): string {
    return new Date(this.clock.now().getTime() - days * DAY_MS).toISOString();
  }

  async take(...events: readonly ReportEvent[]): Promise<void> {
    await ingest(this, events);
  }

  /**
   * Sweeps a day later until the round is complete. @returns the number of entries that each step removed, except the
   * last
   */
  async round(): Promise<number[]> {
    this.clock.advance(DAY_MS);
    const removed: number[] = [];
    while (removed.length < 100) {
      const count = await sweep(this);
      if (count === 0) break;
      removed.push(count);
    }
    return removed;
  }

  /** Returns every key as a text, except those of the sweep itself. */
  async keys(): Promise<string[]> {
    const entries = await Array.fromAsync(this.kv.list({ prefix: [] }));
    return entries.map(({ key }) => key.slice(1).join(" ")).filter((key) => key !== "sweep");
  }

  /** Returns the keys that contain a text. */
  async keysWith(text: string): Promise<string[]> {
    return (await this.keys()).filter((key) => key.includes(text));
  }

  [Symbol.dispose](): void {
    this.kv.close();
  }
}

/** Opens an empty database in memory, at noon. */
export async function openSwept(): Promise<SweptStore> {
  return new SweptStore(await Deno.openKv(":memory:"), new FakeClock("2026-11-29T12:00:00.000Z"));
}
