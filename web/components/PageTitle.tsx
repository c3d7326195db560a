import type { ComponentChildren } from "preact";
import { shownText } from "../shared/shown_text.ts";

interface PageTitleProps {
  /** The heading of the page. */
  readonly children: ComponentChildren;
  /** A state beside the heading. */
  readonly aside?: ComponentChildren;
  /** A sentence below the heading. */
  readonly lead?: ComponentChildren;
  /** The key of a region that may change while the page is open. */
  readonly live?: string;
}

/** Renders the heading of a page: its subject, or its most important sentence. */
export function PageTitle({ children, aside, lead, live }: PageTitleProps) {
  return (
    <header class="page-title" data-live={live}>
      <div data-sentence>
        <h1>{children}</h1>
        {aside}
      </div>
      {lead !== undefined && <p class="lead">{lead}</p>}
    </header>
  );
}

interface Crumb {
  readonly label: string;
  readonly href: string;
}

/** Renders links to the parent pages. */
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
