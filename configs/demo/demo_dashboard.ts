import { join } from "node:path";
import { processWorld } from "../../cli/_world.ts";
import { ModelSync } from "../../lib/config/schema.ts";
import type { Context } from "../../lib/core/context.ts";
import type { Log } from "../../lib/core/log.ts";
import { formatAddress, type ListenAddress } from "../../lib/daemon/listen_address.ts";
import { mayListen } from "../../web/access/password_source.ts";
import { isLoopbackName } from "../../web/access/request_host.ts";
import { localFeed } from "../../web/local/local_feed.ts";
import { LocalIntake } from "../../web/local/local_intake.ts";
import { type OpenDashboard, openDashboard } from "../../web/open_dashboard.ts";
import { runJobs } from "../../web/jobs.ts";
import { type DashboardServer, serveDashboard } from "../../web/serve.ts";
import { ingest } from "../../web/store/ingest.ts";
import { type FleetBatch, SimulatedFleet } from "./fleet/simulate_fleet.ts";
import { judgeFleet } from "./judge_fleet.ts";
import { say, styled } from "./stage.ts";

const DAYS = 30;
/** How often the page gets new events of the simulated fleet. */
const FLEET_MS = 5_000;

/** The dashboard at the end of the demo. */
export class DemoDashboard implements AsyncDisposable {
  readonly #root: string;
  readonly #stop = new AbortController();
  readonly #context: Context;
  readonly #open: OpenDashboard;
  readonly #server: DashboardServer;

  private constructor(root: string, open: OpenDashboard, server: DashboardServer) {
    this.#root = root;
    this.#context = demoContext(this.#stop.signal);
    this.#open = open;
    this.#server = server;
  }

  /**
   * Opens a dashboard with its own database in the demo's folder, and listens.
   *
   * @throws {UsageError} codes `PASSWORD_MISSING`, `LISTEN_INVALID`; {@link FailedError} code `PORT_IN_USE`
   */
  static async open(root: string, address: ListenAddress): Promise<DemoDashboard> {
    const { clock, log, env } = demoContext(new AbortController().signal);
    const kv = await Deno.openKv(join(root, "dashboard.sqlite3"));
    try {
      const setup = { env, isLoopback: isLoopbackName(address.hostname), isDeploy: false };
      const open = openDashboard({ kv, clock, log }, setup);
      mayListen(address.hostname, await open.access.password());
      const handler: Deno.ServeHandler<Deno.NetAddr> = (request, info) => open.app.fetch(request, info);
      return new DemoDashboard(root, open, serveDashboard({ address, serve: Deno.serve, log, handler }));
    } catch (error) {
      kv.close();
      throw error;
    }
  }

  get url(): string {
    return `http://${formatAddress(this.#server.address)}`;
  }

  /** Shows the demo's machines and simulated nodes until the process is stopped. */
  async show(nodes: number): Promise<void> {
    using _stopping = processWorld.onStop(() => this.stop());
    const feeds = this.#machines().map((name) => this.#feed(name));
    const fleet = nodes === 0 ? undefined : await this.#fill(nodes);
    say(
      `\n${styled(1, `The dashboard: ${this.url}`)}\n  It shows the demo's machines${
        nodes === 0 ? "" : ", and the simulated fleet continues"
      }. Stop it with Ctrl-C.`,
    );
    await Promise.all([...feeds, this.#work(), this.#goOn(fleet)]);
  }

  /** Ends {@link show}. */
  stop(): void {
    this.#stop.abort();
  }

  /** Closes the dashboard. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#open.live.close();
    await this.#server.close();
    this.#open.dashboard.kv.close();
  }

  /** The folders that play machines. */
  #machines(): string[] {
    return Array.from(Deno.readDirSync(this.#root)).flatMap(({ name, isDirectory }) =>
      isDirectory && exists(join(this.#root, name, "configs/bot.yaml")) ? [name] : []
    ).sort();
  }

  async #feed(name: string): Promise<void> {
    const dir = join(this.#root, name);
    const modelsDir = join(dir, "models");
    const settings = ModelSync.parse({ models_dir: modelsDir, report: { node: name } });
    const machine = {
      location: { modelsDir, stateDir: undefined },
      readSettings: () => Promise.resolve(settings),
    };
    // One for each machine: the pages show one machine only.
    const intake = new LocalIntake(this.#context.clock);
    const onChange = () => this.#open.live.poke();
    await localFeed({ ...this.#context, host: name }, this.#web, machine, { intake, onChange });
  }

  /** Stores a month of a simulated fleet, as if its nodes had reported it. */
  async #fill(nodes: number): Promise<SimulatedFleet> {
    const startedMs = performance.now();
    const options = { nodes, days: DAYS, now: this.#context.clock.now(), isWatched: true };
    say(`\nStoring a month of ${nodes} simulated nodes ...`);
    const fleet = new SimulatedFleet(options);
    let events = 0;
    for (const { endsAt, isLook } of fleet.windows()) {
      for (const batch of fleet.batchesUntil(endsAt)) {
        if (this.#context.signal.aborted) return fleet;
        await this.#take(batch);
        events += batch.events.length;
      }
      if (isLook) await judgeFleet(this.#web, fleet, endsAt);
    }
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
    say(`${events.toLocaleString("en")} events in ${seconds} s`);
    return fleet;
  }

  async #goOn(fleet: SimulatedFleet | undefined): Promise<void> {
    if (fleet === undefined) return;
    const { clock, signal } = this.#context;
    while (!signal.aborted) {
      for (const batch of fleet.batchesUntil(clock.now())) await this.#take(batch);
      this.#open.live.poke();
      await clock.sleep(FLEET_MS, signal).catch(() => {});
    }
  }

  async #take({ events, sentAt }: FleetBatch): Promise<void> {
    const { kv, clock } = this.#web;
    await ingest({ kv, clock: { ...clock, now: () => sentAt } }, events);
  }

  /** Opens incidents without sending alerts. */
  async #work(): Promise<void> {
    await runJobs(this.#web, this.#context.signal);
  }

  get #web() {
    return this.#open.dashboard;
  }
}

/** The context of the demo: prints warnings and errors only. The page shows the rest. */
function demoContext(signal: AbortSignal): Context {
  const { fs, spawn, http, clock, freeBytes, host } = processWorld;
  const tell = (message: string) => say(message);
  const silent = () => {};
  const log: Log = { debug: silent, info: silent, progress: silent, warn: tell, error: tell };
  const env = { get: (name: string) => Deno.env.get(name), toObject: () => Deno.env.toObject() };
  return { fs, spawn, http, clock, log, env, signal, freeBytes, host };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
