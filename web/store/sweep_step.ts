import type { Clock } from "../../lib/core/clock.ts";
import { committed, commitUnguarded, type Guard } from "./commit.ts";
import { ABOVE } from "./keys.ts";
import type { Place } from "./rows.ts";

/** Deletions per step: a fraction of a second in a file, a few seconds in a managed database. */
export const DELETIONS_MAX = 2_000;
/** Entries that the walks of a step visit. Trimming a node is bounded only by time. */
const READS_MAX = 20_000;
const MS_MAX = 5_000;
/** An atomic operation allows 1,000. */
const MUTATIONS_MAX = 500;
/** The database's limit. */
const BATCH_MAX = 500;

/** A bounded step of the sweep. It ends soon after {@link SweepStep.isSpent} is true. */
export class SweepStep {
  readonly kv: Deno.Kv;
  readonly #clock: Clock;
  readonly #untilMs: number;
  #deletions = 0;
  #reads = 0;
  #waiting: Deno.KvKey[] = [];

  constructor(kv: Deno.Kv, clock: Clock) {
    this.kv = kv;
    this.#clock = clock;
    this.#untilMs = clock.monotonicMs() + MS_MAX;
  }

  get deletions(): number {
    return this.#deletions;
  }

  get isSpent(): boolean {
    return this.#deletions >= DELETIONS_MAX || this.#reads >= READS_MAX ||
      this.#clock.monotonicMs() >= this.#untilMs;
  }

  /** Queues entries for removal. They are removed in one operation. */
  async delete(...entries: readonly Deno.KvKey[]): Promise<void> {
    if (this.#waiting.length + entries.length > MUTATIONS_MAX) await this.flush();
    this.#waiting.push(...entries);
    this.#deletions += entries.length;
  }

  /** Removes entries immediately if the guarded entries are unchanged. */
  async deleteGuarded(guards: readonly Guard[], entries: readonly Deno.KvKey[]): Promise<void> {
    this.#deletions += entries.length;
    const operation = this.kv.atomic();
    for (const guard of guards) operation.check(guard);
    for (const key of entries) operation.delete(key);
    // After a conflict, the next round finds the entries again.
    await committed(operation);
  }

  /** Removes the queued entries. */
  async flush(): Promise<void> {
    const entries = this.#waiting;
    this.#waiting = [];
    if (entries.length === 0) return;
    const operation = this.kv.atomic();
    for (const key of entries) operation.delete(key);
    await commitUnguarded(operation);
  }

  /**
   * Visits the entries of a list in the order of their keys, until the step is spent.
   *
   * @param range `after`: start after this place; `from` and `to`: only keys from `from` up to `to`
   * @returns the last place that was visited; `undefined` at the end of the list
   */
  async walk(
    prefix: Deno.KvKey,
    { after, from = [], to = [ABOVE] }: WalkRange,
    visit: (entry: Deno.KvEntry<unknown>) => Promise<void>,
  ): Promise<Place | undefined> {
    const start = [...prefix, ...(after === undefined ? from : [...after, ABOVE])];
    const list = this.kv.list({ start, end: [...prefix, ...to] }, { batchSize: BATCH_MAX });
    for await (const entry of list) {
      await visit(entry);
      this.#reads++;
      if (this.isSpent) return placeOf(entry.key, prefix);
    }
    return undefined;
  }

  /**
   * Visits each value of the first key part after a prefix, such as the nodes of a list by node, until the step is
   * spent.
   *
   * @param visit returns whether the group is done; if not, the next step visits it again
   * @returns the last group that is done; `undefined` at the end of the list
   */
  async walkGroups(
    prefix: Deno.KvKey,
    after: Place | undefined,
    visit: (name: string) => Promise<boolean>,
  ): Promise<Place | undefined> {
    let last: Place = after ?? FIRST;
    while (true) {
      const range = { start: [...prefix, ...last, ABOVE], end: [...prefix, ABOVE] };
      const [entry] = await Array.fromAsync(this.kv.list(range, { limit: 1 }));
      const name = entry?.key[prefix.length];
      if (typeof name !== "string") return undefined;
      const isDone = await visit(name);
      this.#reads++;
      if (isDone) last = [name];
      if (!isDone || this.isSpent) return last;
    }
  }
}

interface WalkRange {
  readonly after?: Place | undefined;
  readonly from?: Place;
  readonly to?: readonly Deno.KvKeyPart[];
}

/** Sorts before every name. */
const FIRST: Place = [""];

function placeOf(key: Deno.KvKey, prefix: Deno.KvKey): Place {
  return key.slice(prefix.length).filter((part) => typeof part === "string" || typeof part === "number");
}
