import type { CanaryCourse } from "../store/rows.ts";
import type { Tone } from "../fleet/tone.ts";
import { shownText } from "../shared/shown_text.ts";
import { Mark } from "./Mark.tsx";
import { MetricChart } from "./MetricChart.tsx";
import { NodeLink } from "./Links.tsx";
import { Shortened } from "./Details.tsx";
import { Time } from "./Time.tsx";

const TONES: Readonly<Record<string, Tone>> = {
  watching: "calm",
  paused: "calm",
  passed: "good",
  promoted: "good",
  degraded: "bad",
  aborted: "warn",
};

/** Canaries that are shown unfolded. */
const AT_ONCE = 3;

/** Renders the canaries of a release by node. */
export function CanaryCourses({ canaries }: { readonly canaries: readonly CanaryCourse[] }) {
  return (
    <Shortened items={canaries} atOnce={AT_ONCE} noun="node">
      {(some) => some.map((canary) => <Canary key={canary.node} canary={canary} />)}
    </Shortened>
  );
}

function Canary({ canary }: { readonly canary: CanaryCourse }) {
  const { node, status, reason, startedAt, concludedAt, metrics } = canary;
  const tone = Object.hasOwn(TONES, status) ? TONES[status] ?? "quiet" : "quiet";
  return (
    <article class="canary" data-live={`canary:${node}`}>
      <h3>
        <NodeLink node={node} />{" "}
        <span class={`state tone-${tone}`}>
          <Mark tone={tone} />
          <span>{shownText(status)}</span>
        </span>
        <small>
          started <Time at={startedAt} style="clock" />
          {concludedAt !== null && (
            <>
              , verdict <Time at={concludedAt} style="clock" />
            </>
          )}
        </small>
      </h3>
      {reason !== "" && <p class="prose">{shownText(reason)}</p>}
      <div class="charts">
        {metrics.map((course) => <MetricChart key={course.name} course={course} />)}
      </div>
    </article>
  );
}
