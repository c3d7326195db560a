import type { Web } from "../shared/web.ts";
import { keys, SHARDS } from "./keys.ts";
import { NodeRow } from "./rows.ts";

/** The state of the fleet at one moment. */
export interface FleetSnapshot {
  /** Every node, by its name. */
  readonly rows: ReadonlyMap<string, NodeRow>;
  /** The versionstamp of the last change. Versionstamps increase across all instances. */
  readonly version: string;
}

interface Remembered {
  readonly row: NodeRow;
  readonly version: string;
}

interface Shard {
  readonly pulse: string;
  readonly nodes: ReadonlyMap<string, Remembered>;
}

/** The outside world of the dashboard, with the rows of its nodes. */
export interface FleetWeb extends Web {
  readonly fleet: FleetMemory;
}

/** The version before the first change. */
const NO_VERSION = "";

/** Removed nodes that are remembered. Operators remove nodes one by one. */
const GONE_MAX = 1_000;

/** The largest batch that the database allows. */
const LIST = { batchSize: 500 } as const;

/**
 * Keeps the rows of all nodes in memory. A refresh costs one read of the shards' pulses, plus the rows of the shards
 * that changed, whichever instance changed them.
 */
export class FleetMemory {
  readonly #kv: Deno.Kv;
  #shards: ReadonlyMap<number, Shard> = new Map();
  #snapshot: FleetSnapshot = { rows: new Map(), version: NO_VERSION };
  /** Removed nodes, with the version of their removal. */
  readonly #gone = new Map<string, string>();
  /** Removals before this version are unknown. */
  #knownSince: string | undefined;
  #reading: Promise<FleetSnapshot> | undefined;
  #next: Promise<FleetSnapshot> | undefined;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /** Returns the current fleet. Concurrent readers share one read of the database. */
  read(): Promise<FleetSnapshot> {
    if (this.#reading === undefined) return this.#begin();
    // A read that is already in progress may miss a change that the caller made.
    this.#next ??= this.#reading.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<FleetSnapshot> {
    this.#reading = this.#refresh().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  /**
   * Returns the names of nodes that changed after a version, removed ones included; `undefined` if any node may have
   * changed, because removals are not known that far back.
   */
  changedSince(version: string): readonly string[] | undefined {
    if (version === NO_VERSION || version < (this.#knownSince ?? NO_VERSION)) return undefined;
    const changed = nodesOf(this.#shards).flatMap(([node, remembered]) =>
      remembered.version > version ? [node] : []
    );
    const gone = [...this.#gone].flatMap(([node, at]) => at > version ? [node] : []);
    return [...changed, ...gone];
  }

  /** Reads changed shards and publishes them together: a read that fails keeps the previous state. */
  async #refresh(): Promise<FleetSnapshot> {
    const shards = new Map(this.#shards);
    let isChanged = false;
    const pulses = this.#kv.list({ prefix: keys.pulses() }, { limit: SHARDS, batchSize: SHARDS });
    for await (const { key, versionstamp } of pulses) {
      const shard = Number(key.at(-1));
      if (shards.get(shard)?.pulse === versionstamp) continue;
      shards.set(shard, { pulse: versionstamp, nodes: await this.#readShard(shard) });
      isChanged = true;
    }
    if (isChanged) this.#accept(shards);
    return this.#snapshot;
  }

  /** Unchanged rows are not parsed again. */
  async #readShard(shard: number): Promise<ReadonlyMap<string, Remembered>> {
    const before = this.#shards.get(shard)?.nodes;
    const nodes = new Map<string, Remembered>();
    for await (
      const { key, value, versionstamp } of this.#kv.list({ prefix: keys.nodesOfShard(shard) }, LIST)
    ) {
      const node = String(key.at(-1));
      const known = before?.get(node);
      const row = known?.version === versionstamp ? known.row : NodeRow.safeParse(value).data;
      if (row !== undefined) nodes.set(node, { row, version: versionstamp });
    }
    return nodes;
  }

  #accept(shards: ReadonlyMap<number, Shard>): void {
    for (const [number, { pulse, nodes }] of shards) {
      for (const node of nodes.keys()) this.#gone.delete(node);
      for (const node of this.#shards.get(number)?.nodes.keys() ?? []) {
        if (!nodes.has(node)) this.#gone.set(node, pulse);
      }
    }
    this.#shards = shards;
    const version = Array.from(shards.values(), ({ pulse }) => pulse).sort().at(-1) ?? NO_VERSION;
    this.#knownSince ??= version;
    this.#forgetGone();
    this.#snapshot = {
      rows: new Map(nodesOf(shards).map(([node, { row }]) => [node, row])),
      version,
    };
  }

  #forgetGone(): void {
    for (const [node, at] of this.#gone) {
      if (this.#gone.size <= GONE_MAX) return;
      this.#gone.delete(node);
      if (at > (this.#knownSince ?? NO_VERSION)) this.#knownSince = at;
    }
  }
}

function nodesOf(shards: ReadonlyMap<number, Shard>): (readonly [string, Remembered])[] {
  return [...shards.values()].flatMap(({ nodes }) => [...nodes]);
}
