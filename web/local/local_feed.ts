import type { ModelSync } from "../../lib/config/schema.ts";
import type { Context } from "../../lib/core/context.ts";
import { EVENT_TYPES, nodeOf } from "../../lib/wire/event_names.ts";
import { heartbeatTexts } from "../../lib/reporting/heartbeat_events.ts";
import { type NodeFacts, recordEvents, startedEvent } from "../../lib/reporting/make_events.ts";
import { parseBatch } from "../../lib/wire/parse_batch.ts";
import type { ReportEvent } from "../../lib/wire/schema.ts";
import { HistoryCursor, type HistoryEntry, readAfter } from "../../lib/store/history_cursor.ts";
import { findPublishedFiles } from "../../lib/store/published_files.ts";
import { findRunning, type RunMark } from "../../lib/store/running.ts";
import { findStore, type Store, type StoreLocation } from "../../lib/store/store.ts";
import type { LocalIntake } from "./local_intake.ts";
import { localStateMark } from "./local_state_mark.ts";
import { hasReported } from "../store/known_nodes.ts";
import { ingest } from "../store/ingest.ts";
import { keys } from "../store/keys.ts";
import type { Web } from "../shared/web.ts";

/** How soon pages show a change on this machine. Each check reads the end of one file. */
const LOOK_MS = 1_000;

/** Lines of the history per step: a step is a few hundred writes. */
const LINES_MAX = 200;

/** The machine that the dashboard runs on. */
export interface LocalMachine {
  readonly location: StoreLocation;
  /** Reads the current configuration. */
  readonly readSettings: () => Promise<ModelSync>;
}

export interface LocalFeedOptions {
  /** Is updated with the progress and the failures. */
  readonly intake: LocalIntake;
  /** Called after new data was stored. */
  readonly onChange: () => void;
}

/**
 * Stores the activity of this machine in the dashboard's database until the context's signal is aborted: new lines of
 * the history, running commands, and the state of the store and the daemons. They are the same events that other
 * machines report, so a machine that also reports to this dashboard counts once. Never throws: a problem is logged once
 * until it changes, and pages show it.
 */
export async function localFeed(
  context: Context,
  web: Pick<Web, "kv" | "clock">,
  machine: LocalMachine,
  { intake, onChange }: LocalFeedOptions,
): Promise<void> {
  const { clock, log, signal } = context;
  const feed = new LocalFeed(context, web, machine);
  let problem: string | undefined;
  while (!signal.aborted) {
    try {
      intake.begin();
      if (await feed.look(() => intake.proceed())) onChange();
      intake.succeed();
      problem = undefined;
    } catch (error) {
      const found = intake.fail(error);
      if (!signal.aborted && found !== problem) log.warn(`cannot show this machine's runs: ${found}`);
      problem = found;
    }
    await clock.sleep(LOOK_MS, signal).catch(() => {});
  }
}

/** Reading a state of thousands of files takes time. It uses at most a tenth of the time. */
const REST_SHARE = 9;

/** The state that {@link localFeed} keeps between its checks. */
export class LocalFeed {
  readonly #context: Context;
  readonly #web: Pick<Web, "kv" | "clock">;
  readonly #machine: LocalMachine;
  #cursor: HistoryCursor | undefined;
  #root: string | undefined;
  #announced: ReadonlySet<string> = new Set();
  /** The version of the state that was stored last, and when. */
  #taken: { readonly mark: string; readonly settings: ModelSync; readonly atMs: number } | undefined;
  #restUntilMs = -Infinity;
  /** The error of the last attempt to store the state. */
  #failure: { readonly error: unknown } | undefined;

  constructor(context: Context, web: Pick<Web, "kv" | "clock">, machine: LocalMachine) {
    this.#context = context;
    this.#web = web;
    this.#machine = machine;
  }

  /**
   * Stores what has changed since the last check.
   *
   * @param onProgress called after each part of a long history
   * @returns whether anything was stored
   */
  async look(onProgress = () => {}): Promise<boolean> {
    const { fs, log } = this.#context;
    const store = findStore(fs, this.#machine.location, log);
    if (store === undefined) return false;
    if (this.#root !== store.root) await this.#begin(store);
    const settings = await this.#machine.readSettings();
    const facts = { name: settings.report.node, host: this.#context.host, modelsDir: store.modelsDir };
    const running = await findRunning(store);
    const hasStarted = await this.#takeStarts(facts, running);
    const hasEnded = await this.#takeHistory(store, facts, onProgress);
    const hasState = await this.#takeState(store, settings, running);
    return hasStarted || hasEnded || hasState;
  }

  async #begin(store: Store): Promise<void> {
    const { value } = await this.#web.kv.get(keys.localHistory(store.root));
    this.#cursor = HistoryCursor.safeParse(value).data;
    this.#root = store.root;
    this.#taken = this.#failure = undefined;
  }

  async #takeHistory(store: Store, facts: NodeFacts, onProgress: () => void): Promise<boolean> {
    for (let taken = false;; taken = true) {
      const batch = readAfter(store, this.#cursor, LINES_MAX);
      if (!batch.found) {
        // The history was removed or replaced. Storing its lines again changes nothing.
        this.#cursor = undefined;
        continue;
      }
      const last = batch.entries.at(-1);
      if (last === undefined || this.#context.signal.aborted) return taken;
      await ingest(this.#web, eventsOf(store, facts, batch.entries));
      this.#cursor = last.cursor;
      await this.#web.kv.set(keys.localHistory(store.root), last.cursor);
      onProgress();
    }
  }

  /** Starts of runs without a daemon are reported nowhere else. */
  async #takeStarts(facts: NodeFacts, running: readonly RunMark[]): Promise<boolean> {
    const fresh = running.filter(({ runId }) => !this.#announced.has(runId));
    await ingest(this.#web, fresh.map((run) => startedEvent(facts, run)));
    this.#announced = new Set(running.map(({ runId }) => runId));
    return fresh.length > 0;
  }

  /** Stores the state as often as a daemon reports it, and immediately after a change. */
  async #takeState(store: Store, settings: ModelSync, running: readonly RunMark[]): Promise<boolean> {
    const { clock } = this.#context;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#restUntilMs) {
      if (this.#failure !== undefined) throw this.#failure.error;
      return false;
    }
    const intervalMs = settings.report.interval_seconds * 1_000;
    // A change while the state is read gives a different mark.
    const mark = await localStateMark(this.#context, store, running);
    if (!this.#isStale(mark, settings, nowMs - intervalMs)) return false;
    this.#failure = undefined;
    try {
      const events = await this.#readState(store, settings);
      await ingest(this.#web, events);
      this.#taken = { mark, settings, atMs: nowMs };
      return events.length > 0;
    } catch (error) {
      this.#failure = { error };
      throw error;
    } finally {
      const endMs = clock.monotonicMs();
      this.#restUntilMs = endMs + Math.min(REST_SHARE * (endMs - nowMs), intervalMs / 2);
    }
  }

  #isStale(mark: string, settings: ModelSync, dueMs: number): boolean {
    const taken = this.#taken;
    return taken === undefined || taken.mark !== mark || taken.settings !== settings || taken.atMs <= dueMs;
  }

  /**
   * Returns the state as events. Without a daemon, they belong to the nodes that have reported runs of this machine.
   */
  async #readState(store: Store, settings: ModelSync): Promise<ReportEvent[]> {
    const texts = await heartbeatTexts(this.#context, { store, roles: [] }, settings, { nodes: "every" });
    const { events } = parseBatch(texts.map((text) => JSON.parse(text)));
    const isKnown = await Promise.all(
      events.map(async ({ type, source, data }) =>
        (type === EVENT_TYPES.heartbeat && data.intervalSeconds > 0) ||
        await hasReported(this.#web.kv, nodeOf(source))
      ),
    );
    return events.filter((_event, index) => isKnown[index]);
  }
}

function eventsOf(store: Store, facts: NodeFacts, entries: readonly HistoryEntry[]): ReportEvent[] {
  return entries.flatMap(({ record }) => {
    const { outcome, release } = record;
    const files = outcome === "published" && release !== undefined
      ? findPublishedFiles(store, release)
      : undefined;
    return recordEvents(facts, record, files);
  });
}
