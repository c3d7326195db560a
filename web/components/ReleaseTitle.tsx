import { sentence } from "../shared/words.ts";
import { shortDigest } from "../../lib/release/manifest.ts";
import { addresses } from "../shared/addresses.ts";
import type { ReachWords } from "../fleet/release_reach.ts";
import type { ReleaseName } from "../store/rows.ts";
import { Breadcrumb, PageTitle } from "./PageTitle.tsx";
import { Command } from "./Section.tsx";
import { ReachState } from "./Mark.tsx";

/** Returns the name of a release for the tab: `Release 42 · af9620290d58`. */
export function releaseTitle({ sequence, digest }: ReleaseName): string {
  return `Release ${sequence === undefined ? "" : `${sequence} · `}${shortDigest(digest)}`;
}

interface ReleaseTitleProps {
  readonly release: ReleaseName;
  readonly words: ReachWords;
}

/** Renders the top of a release's page: its name, where it is active, and its digest. */
export function ReleaseTitle({ release, words }: ReleaseTitleProps) {
  return (
    <>
      <Breadcrumb crumbs={[{ label: "Releases", href: addresses.releases() }]} />
      <PageTitle
        live="release-title"
        aside={<ReachState words={words} />}
        lead={words.rest === "" ? undefined : sentence(words.rest)}
      >
        Release {release.sequence === undefined ? <code>{shortDigest(release.digest)}</code> : (
          <>
            {release.sequence} <code class="title-digest">{shortDigest(release.digest)}</code>
          </>
        )}
      </PageTitle>
      <p class="digest">
        <Command command={release.digest} />
      </p>
    </>
  );
}
