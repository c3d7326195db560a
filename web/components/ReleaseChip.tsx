import { addresses } from "../addresses.ts";
import type { ReleaseName } from "../store/rows.ts";

/** As many hex digits as no two releases of a fleet share. */
const SHORT_DIGITS = 12;

/** Returns the first digits of a digest, as pages name a release. */
export function shortDigest(digest: string): string {
  return digest.replace(/^sha256:/, "").slice(0, SHORT_DIGITS);
}

interface ReleaseChipProps {
  readonly release: ReleaseName;
  /** Whether it leads to the release's page; it does by default. */
  readonly linked?: boolean;
}

/** Renders a release as its sequence and the beginning of its digest. */
export function ReleaseChip({ release, linked = true }: ReleaseChipProps) {
  const name = (
    <>
      {release.sequence !== undefined && <b>{release.sequence}</b>}
      <code>{shortDigest(release.digest)}</code>
    </>
  );
  return linked
    ? <a class="release" href={addresses.release(release.digest)} title={release.digest}>{name}</a>
    : <span class="release" title={release.digest}>{name}</span>;
}
