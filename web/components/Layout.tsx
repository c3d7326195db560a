import type { ComponentChildren } from "preact";
import { useContext } from "preact/hooks";
import { addresses } from "../shared/addresses.ts";
import { BRAND_PATH } from "./favicon.ts";
import { PageContext } from "./PageContext.tsx";

interface LayoutProps {
  readonly children: ComponentChildren;
  /** The text of the search. */
  readonly search?: string | undefined;
}

/** Renders the header and the footer of every page. */
export function Layout({ children, search }: LayoutProps) {
  const { path } = useContext(PageContext);
  // Before the sign-in, a private dashboard has no other page to link to. On a public one, the brand is a link.
  const isSignIn = path === addresses.signIn();
  return (
    <>
      <a class="skip" href="#main">Skip to the content</a>
      <header class="top">
        <div class="top-inner">
          <a class="brand" href={addresses.fleet()}>
            <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
              <path d={BRAND_PATH} />
            </svg>
            model-sync
          </a>
          {!isSignIn && (
            <>
              <MainNavigation />
              <SearchForm search={search} />
              <Account />
            </>
          )}
        </div>
      </header>
      <main id="main" tabIndex={-1}>{children}</main>
      <footer class="bottom">
        <div class="bottom-inner">
          <p class="live-state" data-live-state hidden></p>
          {!isSignIn && <Programs />}
          <Zone />
        </div>
      </footer>
    </>
  );
}

function SearchForm({ search }: { readonly search: string | undefined }) {
  return (
    <form class="search" role="search" method="get" action={addresses.fleet()}>
      <input
        type="search"
        name="q"
        value={search ?? ""}
        placeholder="Search"
        aria-label="Search nodes, releases and runs"
        maxLength={200}
        autoComplete="off"
        spellcheck={false}
      />
    </form>
  );
}

/** Links to the addresses for programs. */
function Programs() {
  const { viewer } = useContext(PageContext);
  return (
    <ul>
      <li>
        <a href={addresses.statusJson()}>JSON</a>
      </li>
      {viewer === "operator" && (
        <li>
          <a href={addresses.metrics()}>Metrics</a>
        </li>
      )}
      <li>
        <a href={addresses.incidentsFeed()}>Atom feed of incidents</a>
      </li>
      {viewer === "operator" && (
        <li>
          <a href={addresses.openApi()}>API</a>
        </li>
      )}
    </ul>
  );
}

/** The pages of the navigation. */
const PAGES = [
  { label: "Fleet", href: addresses.fleet(), below: "/nodes/", operator: false },
  { label: "Releases", href: addresses.releases(), below: "/releases/", operator: false },
  { label: "Pull requests", href: addresses.pullRequests(), below: "/pull-requests/", operator: true },
  { label: "Incidents", href: addresses.incidents(), below: "/incidents/", operator: false },
  { label: "Settings", href: addresses.settings(), below: "/settings/", operator: true },
] as const;

function MainNavigation() {
  const { path, viewer } = useContext(PageContext);
  return (
    <nav class="pages" aria-label="Main">
      <ul>
        {PAGES.filter(({ operator }) => !operator || viewer === "operator").map(({ label, href, below }) => (
          <li>
            <a
              href={href}
              aria-current={path === href ? "page" : path.startsWith(below) ? "true" : undefined}
            >
              {label}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** Renders the sign-in or sign-out. A dashboard without a password has neither. */
function Account() {
  const { viewer, signedIn } = useContext(PageContext);
  if (viewer === "public") return <a class="account" href={addresses.signIn()}>Sign in</a>;
  if (signedIn !== true) return null;
  return (
    <form class="account" method="post" action={addresses.signOut()}>
      <button type="submit" class="button-plain">Sign out</button>
    </form>
  );
}

function Zone() {
  const { zone } = useContext(PageContext);
  return <p class="zone" data-zone={zone}>Times in {zone}</p>;
}
