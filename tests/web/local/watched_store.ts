import assert from "node:assert/strict";
import { join } from "node:path";
import { ModelSync } from "../../../lib/config/schema.ts";
import { appendHistory } from "../../../lib/store/history.ts";
import { openStore, type Store } from "../../../lib/store/store.ts";
import { nodeState } from "../../../web/fleet/node_state.ts";
import type { NodeState } from "../../../web/fleet/node_view.ts";
import { LocalFeed, type LocalMachine } from "../../../web/local/local_feed.ts";
import { FleetMemory } from "../../../web/store/fleet_memory.ts";
import type { NodeRow } from "../../../web/store/rows.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { runRecordOf } from "../../helpers/report_world.ts";
import { type TempDir, tempDir } from "../../helpers/temp_dir.ts";
import { testContext } from "../../helpers/test_context.ts";

/** The store of this machine, `test-host`, which an in-process dashboard checks when the test says so. */
export class WatchedStore implements AsyncDisposable {
  readonly clock = new FakeClock("2026-11-29T12:00:00Z");
  readonly store: Store;
  readonly context = testContext({ clock: this.clock, freeBytes: () => Promise.resolve(this.freeBytes) });
  freeBytes = 50_000_000_000;
  /** The settings; replaced as a whole, as after a change of their file. */
  settings = ModelSync.parse({});
  readonly kv: Deno.Kv;
  readonly machine: LocalMachine;
  readonly #dir: TempDir;
  readonly #feed: LocalFeed;

  private constructor(dir: TempDir, kv: Deno.Kv) {
    this.#dir = dir;
    this.kv = kv;
    const location = { modelsDir: join(dir.path, "models") };
    this.store = openStore(Deno, location);
    this.machine = { location, readSettings: () => Promise.resolve(this.settings) };
    this.#feed = new LocalFeed(this.context, { kv, clock: this.clock }, this.machine);
  }

  static async open(settings: object = {}): Promise<WatchedStore> {
    const world = new WatchedStore(tempDir(), await Deno.openKv(":memory:"));
    world.settings = ModelSync.parse(settings);
    return world;
  }

  /** Appends a run to the history, by default a pull. */
  record(number: number, command = "pull"): void {
    appendHistory(this.store, runRecordOf(number, { command, host: this.context.host }));
  }

  /** Advances the clock and checks the store. @returns whether anything was stored */
  async look(afterMs = 1_000): Promise<boolean> {
    this.clock.advance(afterMs);
    return await this.#feed.look();
  }

  async nodes(): Promise<string[]> {
    return Array.from((await new FleetMemory(this.kv).read()).rows.keys()).sort();
  }

  async row(node = "test-host/client"): Promise<NodeRow> {
    const row = (await new FleetMemory(this.kv).read()).rows.get(node);
    assert.ok(row !== undefined, `there is no node ${node}`);
    return row;
  }

  async state(node?: string): Promise<NodeState> {
    return nodeState(await this.row(node), this.clock.now());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.kv.close();
    this.#dir[Symbol.dispose]();
    return Promise.resolve();
  }
}
