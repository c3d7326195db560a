import { join } from "node:path";
import type { Context } from "../../lib/core/context.ts";
import { HubServer } from "../../fakes/hub_server.ts";
import { QuickClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp_dir.ts";
import { type RecordedLog, testContext } from "../helpers/test_context.ts";

/** Shorter than the hub's time limits, and longer than the pauses between attempts. */
const PAUSE_MS_MAX = 9_000;

/** A hub, a trainer's and a bot's folder, and a clock on which no retry waits. */
export class HubBench implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly server: HubServer;
  readonly clock = new QuickClock("2026-11-21T00:00:00Z", PAUSE_MS_MAX);
  readonly context: Context & { readonly log: RecordedLog };

  constructor() {
    const objects = join(this.path, "objects");
    Deno.mkdirSync(objects);
    this.server = new HubServer(objects);
    this.context = testContext({ clock: this.clock });
  }

  get path(): string {
    return this.#dir.path;
  }

  /** The trainer's model folder. */
  get trainer(): string {
    return join(this.path, "trainer/models");
  }

  /** The bot's model folder. */
  get bot(): string {
    return join(this.path, "bot/models");
  }

  /** Returns the requests to the hub and its storage since the last call, as `METHOD /path`. */
  asked(): string[] {
    return this.server.requests.splice(0).map(({ method, path }) => `${method} ${path}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}
