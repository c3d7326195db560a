import { keys, SHARDS } from "./keys.ts";
import { NodeRow } from "./rows.ts";

/** The fleet at one moment. */
export interface FleetSnapshot {
  /** Every node, by its name. */
  readonly rows: ReadonlyMap<string, NodeRow>;
  /** The versionstamp of the last change: versionstamps grow, on all instances alike. */
  readonly version: string;
}

interface Remembered {
  readonly row: NodeRow;
  readonly version: string;
}

/** Before the first change. */
const NO_VERSION = "";

/**
 * The nodes' rows, kept in memory: reading them again costs one read of the shards' pulses and the rows of those that
 * changed, whichever instance changed them.
 */
export class FleetMemory {
  readonly #kv: Deno.Kv;
  readonly #shards = new Map<
    number,
    { readonly pulse: string; readonly nodes: ReadonlyMap<string, Remembered> }
  >();
  #snapshot: FleetSnapshot = { rows: new Map(), version: NO_VERSION };
  #reading: Promise<FleetSnapshot> | undefined;
  #isOutdated = false;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /** Returns the fleet as it is now. Readers at the same time share one look at the database. */
  read(): Promise<FleetSnapshot> {
    // A look that had begun before may have missed what its caller knows.
    if (this.#reading !== undefined) {
      this.#isOutdated = true;
      return this.#reading.then(() => this.#isOutdated ? this.#read() : this.#snapshot);
    }
    return this.#read();
  }

  #read(): Promise<FleetSnapshot> {
    if (this.#reading !== undefined) return this.#reading;
    this.#isOutdated = false;
    this.#reading = this.#refresh().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  /** Returns the names of the nodes that changed after a version, those included that are gone; `undefined` for all. */
  changedSince(version: string): readonly string[] | undefined {
    if (version === NO_VERSION) return undefined;
    return this.#nodes().flatMap(([node, remembered]) => remembered.version > version ? [node] : []);
  }

  #nodes(): (readonly [string, Remembered])[] {
    return [...this.#shards.values()].flatMap(({ nodes }) => [...nodes]);
  }

  async #refresh(): Promise<FleetSnapshot> {
    let isChanged = false;
    const pulses = this.#kv.list({ prefix: keys.pulses() }, { limit: SHARDS, batchSize: SHARDS });
    for await (const { key, versionstamp } of pulses) {
      const shard = Number(key.at(-1));
      if (this.#shards.get(shard)?.pulse === versionstamp) continue;
      this.#shards.set(shard, { pulse: versionstamp, nodes: await this.#readShard(shard) });
      isChanged = true;
    }
    if (isChanged) this.#snapshot = this.#newSnapshot();
    return this.#snapshot;
  }

  /** Rows that did not change are not parsed again. */
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

  #newSnapshot(): FleetSnapshot {
    const nodes = this.#nodes();
    const pulses = Array.from(this.#shards.values(), ({ pulse }) => pulse);
    return {
      rows: new Map(nodes.map(([node, { row }]) => [node, row])),
      version: pulses.toSorted().at(-1) ?? NO_VERSION,
    };
  }
}

/** The most that the database gives at once. */
const LIST = { batchSize: 500 } as const;
