import * as z from "zod";
import { Digest } from "../release/manifest.ts";
import { RecordedWriter } from "./recorded_writer.ts";
import { RebuiltFile } from "./rebuilt_file.ts";
import type { Store } from "./store.ts";

const Known = z.lazy(() =>
  z.object({
    revision: z.string(),
    digest: Digest,
    sequence: z.number(),
    /** Another program changed the release's files after model-sync published them. */
    otherWriter: RecordedWriter.optional(),
  })
);
/** The release that a source's revision was staged as. */
export type KnownRevision = Readonly<z.infer<typeof Known>>;

const REVISIONS = new RebuiltFile("revisions.json", z.lazy(() => z.record(z.string(), Known)), {
  isIndented: true,
});

/** Returns the revision that was last staged from a source. A pull of the same revision fetches nothing. */
export function findRevision(store: Store, sourceKey: string): KnownRevision | undefined {
  return REVISIONS.find(store)?.[sourceKey];
}

/** Returns a revision that a release was staged from, whatever the source. */
export function findRevisionOf(store: Store, digest: Digest): string | undefined {
  return Object.values(REVISIONS.find(store) ?? {}).find((known) => known.digest === digest)?.revision;
}

/**
 * Returns whether a release was pulled from another place than this one, as far as the records show. Models that were
 * adopted belong to no place.
 *
 * @param place a part of the source's key
 */
export function isFromElsewhere(store: Store, release: Digest, place: string): boolean {
  const known = Object.entries(REVISIONS.find(store) ?? {});
  const here = known.filter(([source]) => source.includes(` ${place}`));
  const isRelease = ([, { digest }]: readonly [string, KnownRevision]) => digest === release;
  if (here.some(isRelease)) return false;
  return known.some(isRelease) || (here.length === 0 && known.length > 0);
}

/** Returns the other program whose change of the release's files was accepted, if it is the last one staged from a source. */
export function findWriterOf(store: Store, digest: Digest): RecordedWriter | undefined {
  return Object.values(REVISIONS.find(store) ?? {}).find((known) => known.digest === digest)?.otherWriter;
}

export function rememberRevision(store: Store, sourceKey: string, known: KnownRevision): void {
  REVISIONS.replace(store, { ...REVISIONS.find(store), [sourceKey]: known });
}
