import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import type { ReleaseName } from "../store/rows.ts";

/** Renders a node's name as a link to its page. Names from outside may be written in any direction. */
export function NodeLink({ node }: { readonly node: string }) {
  return (
    <a class="name" href={addresses.node(node)}>
      <bdi>{shownText(node)}</bdi>
    </a>
  );
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
