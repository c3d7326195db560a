import { shortDigest } from "../../lib/release/manifest.ts";
import { shownText } from "../shared/shown_text.ts";
import type { ReleaseRow } from "../store/rows.ts";
import { Command, Section } from "./Section.tsx";
import { Time } from "./Time.tsx";

/** Renders when and why a release was withdrawn, and how to end that; nothing for other releases. */
export function WithdrawalNote({ row: { digest, withdrawal } }: { readonly row: ReleaseRow }) {
  if (withdrawal?.state !== "withdrawn") return null;
  const { at, reason } = withdrawal;
  return (
    <Section title="Withdrawn" id="withdrawn" live="withdrawn">
      <p>
        Its publisher withdrew it <Time at={at} style="clock" />
        {reason === undefined ? "." : <>: {shownText(reason)}</>}
      </p>
      <p class="next-step">
        Clients refuse it, and roll back from it at their next pull. To let them accept it again, run on the
        publisher: <Command command={`model-sync withdraw ${shortDigest(digest)} --undo`} />
      </p>
    </Section>
  );
}
