import { addresses } from "../addresses.ts";
import { shownText } from "../shown_text.ts";

/** Renders a node's name as a link to its page. Names from outside may be written in any direction. */
export function NodeLink({ node }: { readonly node: string }) {
  return (
    <a class="name" href={addresses.node(node)}>
      <bdi>{shownText(node)}</bdi>
    </a>
  );
}
