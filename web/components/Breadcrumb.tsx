import { shownText } from "../shown_text.ts";

interface Crumb {
  readonly label: string;
  readonly href: string;
}

/** Renders the way back up: links to the pages above this one, which is not among them. */
export function Breadcrumb({ crumbs }: { readonly crumbs: readonly Crumb[] }) {
  return (
    <nav class="crumbs" aria-label="Breadcrumb">
      <ol>
        {crumbs.map(({ label, href }) => (
          <li>
            <a href={href}>
              <bdi>{shownText(label)}</bdi>
            </a>
          </li>
        ))}
      </ol>
    </nav>
  );
}
