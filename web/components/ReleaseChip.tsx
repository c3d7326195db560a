import { shortDigest } from "../../lib/release/manifest.ts";
import { addresses } from "../addresses.ts";
import type { ReleaseName } from "../store/rows.ts";

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
