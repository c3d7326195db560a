import type { NodeRow, PublishedName } from "../store/rows.ts";
import { PUBLISHED_MAX } from "../store/reduce_node.ts";
import type { Lag } from "./node_view.ts";

/** A publisher with its releases, newest first. */
export interface Lineage {
  readonly publisher: string;
  readonly published: readonly PublishedName[];
}

/**
 * Finds the publisher of a release. Each model set has one publisher, and its consumers have only that publisher's
 * releases.
 */
export class Lineages {
  readonly all: readonly Lineage[];
  /** If several nodes claim a release, it belongs to the first. */
  readonly #byDigest = new Map<string, { readonly lineage: Lineage; readonly receivedAt: string }>();

  constructor(rows: Iterable<NodeRow>) {
    this.all = Array.from(rows)
      .filter(({ published }) => published.length > 0)
      .map(({ node, published }) => ({ publisher: node, published }))
      .sort((a, b) => lastPublished(b).localeCompare(lastPublished(a)));
    for (const lineage of this.all) {
      for (const { digest, receivedAt = "" } of lineage.published) {
        const known = this.#byDigest.get(digest);
        if (known === undefined || receivedAt < known.receivedAt) {
          this.#byDigest.set(digest, { lineage, receivedAt });
        }
      }
    }
  }

  /** Returns how far a consumer is behind; `null` if it has no release or its publisher does not report. */
  lagOf({ active, activation }: NodeRow): Lag | null {
    if (active === null) return null;
    const found = this.#byDigest.get(active.digest) ?? this.#byDigest.get(activation?.digest ?? "");
    const lineage = found?.lineage ?? this.#only();
    const [newest] = lineage?.published ?? [];
    if (lineage === undefined || newest === undefined) return null;
    const { publisher, published } = lineage;
    const base = { newest: { digest: newest.digest, sequence: newest.sequence }, publisher };
    const index = published.findIndex(({ digest }) => digest === active.digest);
    if (index >= 0) return { ...base, releases: index, isAtLeast: false, since: sinceOf(published, index) };
    const { sequence } = active;
    if (sequence === undefined) return { ...base, releases: null, isAtLeast: false, since: null };
    const newer = published.filter((release) => release.sequence > sequence).length;
    const isAtLeast = newer === PUBLISHED_MAX;
    return { ...base, releases: newer, isAtLeast, since: sinceOf(published, newer) };
  }

  /** An unknown release belongs to the only publisher. */
  #only(): Lineage | undefined {
    return this.all.length === 1 ? this.all[0] : undefined;
  }
}

/** The name makes the order of equal times stable. */
function lastPublished({ published, publisher }: Lineage): string {
  return `${published[0]?.at ?? ""} ${publisher}`;
}

/** Returns when the next release after the one at an index was published. */
function sinceOf(published: readonly PublishedName[], index: number): string | null {
  return index === 0 ? null : published[index - 1]?.at ?? null;
}
