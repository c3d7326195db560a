import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import type { ReleaseName } from "../store/rows.ts";

/** Renders a node's name as a link to its page. `bdi` isolates names that are written from right to left. */
export function NodeLink({ node }: { readonly node: string }) {
  return (
    <a class="name" href={addresses.node(node)}>
      <bdi>{shownText(node)}</bdi>
    </a>
  );
}

/** Renders a release as a link to its page: its sequence and the beginning of its digest. */
export function ReleaseChip({ release: { digest, sequence } }: { readonly release: ReleaseName }) {
  return (
    <a class="release" href={addresses.release(digest)} title={digest}>
      {sequence !== undefined && <b>{sequence}</b>}
      <code>{shortDigest(digest)}</code>
    </a>
  );
}
