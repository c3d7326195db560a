import type { ReachWords } from "../fleet/release_reach.ts";
import { Mark } from "./Mark.tsx";

/** Renders where a release is active, as a shape and words. */
export function ReachState({ words: { tone, now } }: { readonly words: ReachWords }) {
  return (
    <span class={`state tone-${tone}`}>
      <Mark tone={tone} />
      <span>{now}</span>
    </span>
  );
}
