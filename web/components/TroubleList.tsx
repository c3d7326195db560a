import type { Trouble } from "../fleet/node_view.ts";
import { capitalized } from "../shared/words.ts";
import { shownText } from "../shared/shown_text.ts";
import { Command } from "./Section.tsx";
import { Mark } from "./Mark.tsx";
import { NodeLink } from "./Links.tsx";
import { Time } from "./Time.tsx";

interface TroubleListProps {
  /** Most urgent first. Entries without a node belong to the node of the page. */
  readonly entries: readonly { readonly node?: string; readonly trouble: Trouble }[];
  /** The key of a region that may change while the page is open. */
  readonly live?: string;
}

/** Renders problems that need an operator, with commands to run. */
export function TroubleList({ entries, live }: TroubleListProps) {
  if (entries.length === 0) return live === undefined ? null : <ul class="troubles" data-live={live}></ul>;
  return (
    <ul class="troubles" data-live={live}>
      {entries.map(({ node, trouble }) => (
        <li class={`tone-${trouble.tone}`}>
          <Mark tone={trouble.tone} />
          <p class="trouble-title">
            {node === undefined ? capitalized(shownText(trouble.title)) : (
              <>
                <NodeLink node={node} /> {shownText(trouble.title)}
              </>
            )}
          </p>
          <span class="trouble-time">
            <Time at={trouble.at} />
          </span>
          <p class="trouble-text">{shownText(trouble.text)}</p>
          {trouble.command !== undefined && (
            <p class="trouble-command">
              <Command command={trouble.command} />
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}
