import type { Source } from "../carriers/carrier.ts";
import type { Carrier, Digest, Withdrawal } from "../release/manifest.ts";
import type { KnownFile } from "../release/file_changes.ts";
import { claimedSigner } from "../signing/claimed_signer.ts";
import { findManifest, findSignature, type StoredRelease } from "../store/releases.ts";
import { findRevision } from "../store/revisions.ts";
import type { Store } from "../store/store.ts";

/** The newest release of a source, not verified. */
export interface RemoteRelease {
  readonly carrier: Carrier;
  /** The carrier's name for it, such as a commit. */
  readonly revision: string;
  /** `null` if the source has no manifest, or it is in an archive that only a pull downloads. */
  readonly digest: Digest | null;
  readonly sequence: number | null;
  readonly createdAt: string | null;
  /** `null` if they are known only after the download. */
  readonly files: readonly KnownFile[] | null;
  /** The hint of the key that signed it, as it claims; `null` without a signature. */
  readonly signer: string | null;
  /** The withdrawn releases that its manifest lists. Empty if the store knows them from a pull of this revision. */
  readonly withdrawals: readonly Withdrawal[];
}

const UNKNOWN = { digest: null, sequence: null, createdAt: null, files: null, signer: null, withdrawals: [] };

/** Carriers whose `inspect` would download the models. */
const ARCHIVING: readonly Carrier[] = ["github-actions", "runpod"];

/**
 * Returns the newest release of a source, and downloads no model. If the store knows the revision, that costs one
 * request. Nothing is verified.
 *
 * @param store `undefined` before the first pull
 * @throws what a pull would throw before its download
 */
export async function readRemote(store: Store | undefined, source: Source): Promise<RemoteRelease> {
  const { carrier } = source;
  const revision = await source.resolve();
  const known = store === undefined ? undefined : findRevision(store, revision.source);
  if (store !== undefined && known?.revision === revision.id) {
    const { digest, sequence } = known;
    const held = findManifest(store, digest);
    if (held !== undefined) return { carrier, revision: revision.id, ...ofStored(store, held) };
    if (ARCHIVING.includes(carrier)) return { ...UNKNOWN, carrier, revision: revision.id, digest, sequence };
  }
  if (ARCHIVING.includes(carrier)) return { ...UNKNOWN, carrier, revision: revision.id };
  const { claim, files } = await source.inspect(revision);
  return {
    carrier,
    revision: revision.id,
    digest: claim?.manifest.digest ?? null,
    sequence: claim?.manifest.sequence ?? null,
    createdAt: claim?.manifest.createdAt ?? null,
    files: claim?.manifest.files ?? files,
    signer: claimedSigner(claim?.signature),
    withdrawals: claim?.manifest.withdrawals ?? [],
  };
}

function ofStored(
  store: Store,
  { manifest: { digest, sequence, createdAt, files } }: StoredRelease,
): Omit<RemoteRelease, "carrier" | "revision"> {
  const signer = claimedSigner(findSignature(store, digest));
  return { digest, sequence, createdAt, files, signer, withdrawals: [] };
}
