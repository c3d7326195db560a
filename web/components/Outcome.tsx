import { spoken, toneOfOutcome } from "../fleet/tone.ts";
import { shownText } from "../shown_text.ts";
import { Mark } from "./Mark.tsx";

/** Renders the outcome of a run as a shape and a word. */
export function Outcome({ outcome }: { readonly outcome: string }) {
  const tone = toneOfOutcome(outcome);
  return (
    <span class={`state tone-${tone}`}>
      <Mark tone={tone} />
      <span>{shownText(spoken(outcome))}</span>
    </span>
  );
}
