import { sentence } from "../fleet/sentence_of.ts";
import type { IntakeProblem } from "../local_intake.ts";
import { shownText } from "../shown_text.ts";
import { Notice } from "./Notice.tsx";
import { Time } from "./Time.tsx";

/** Renders why the page misses what the dashboard's own machine does: its nodes look as well as they did before. */
export function IntakeNotice({ problem }: { readonly problem: IntakeProblem | undefined }) {
  return (
    <div data-live="intake">
      {problem !== undefined && (
        <Notice
          tone="bad"
          title={
            <>
              This machine's runs are not shown since <Time at={problem.since.toISOString()} style="clock" />.
            </>
          }
        >
          <p>{shownText(sentence(problem.reason))}</p>
        </Notice>
      )}
    </div>
  );
}
