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

/** How soon a page shows what this machine does. A look reads the end of one file. */
const LOOK_MS = 1_000;

/** As many lines of the history as one step takes in: a step is a few hundred writes. */
const LINES_MAX = 200;

/** This machine, as its own dashboard sees it. */
export interface LocalMachine {
  readonly location: StoreLocation;
  /** Reads the configuration as it is now. */
  readonly readSettings: () => Promise<ModelSync>;
}

export interface LocalFeedOptions {
  /** Hears how it goes. */
  readonly intake: LocalIntake;
  /** Called when something was taken in. */
  readonly onChange: () => void;
}

/**
 * Takes what this machine does into its dashboard until the context's signal is aborted: the history from where the last
 * look ended, the runs that are going on, and the state of its store and daemons. The same events as reports of other
 * machines, so that a machine that also reports to this dashboard counts once. Never throws: a problem is one warning
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

/** A state of thousands of files takes a moment to read: that is at most a tenth of the time. */
const REST_SHARE = 9;

/** What {@link localFeed} keeps between its looks. */
export class LocalFeed {
  readonly #context: Context;
  readonly #web: Pick<Web, "kv" | "clock">;
  readonly #machine: LocalMachine;
  #cursor: HistoryCursor | undefined;
  #root: string | undefined;
  #announced: ReadonlySet<string> = new Set();
  /** What the state was taken in from, and when. */
  #taken: { readonly mark: string; readonly settings: ModelSync; readonly atMs: number } | undefined;
  #restUntilMs = -Infinity;
  /** Why the state could not be taken in the last time. */
  #failure: { readonly error: unknown } | undefined;

  constructor(context: Context, web: Pick<Web, "kv" | "clock">, machine: LocalMachine) {
    this.#context = context;
    this.#web = web;
    this.#machine = machine;
  }

  /**
   * @param onProgress called when a part of a long history was taken in
   * @returns whether anything was taken in
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
        // The history was removed, or is another one: what is in it is taken in again, which changes nothing.
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

  /** Runs without a daemon say nowhere else that they began. */
  async #takeStarts(facts: NodeFacts, running: readonly RunMark[]): Promise<boolean> {
    const fresh = running.filter(({ runId }) => !this.#announced.has(runId));
    await ingest(this.#web, fresh.map((run) => startedEvent(facts, run)));
    this.#announced = new Set(running.map(({ runId }) => runId));
    return fresh.length > 0;
  }

  /** The state is taken in as often as a daemon reports it, and at once when something that it says has changed. */
  async #takeState(store: Store, settings: ModelSync, running: readonly RunMark[]): Promise<boolean> {
    const { clock } = this.#context;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#restUntilMs) {
      if (this.#failure !== undefined) throw this.#failure.error;
      return false;
    }
    const intervalMs = settings.report.interval_seconds * 1_000;
    // What changes while the state is read makes another mark.
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

  /** Without a daemon, the state belongs to the nodes that runs of this machine are known under. */
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
