import { createContext } from "preact";
import type { Viewer } from "../shared/web.ts";

/** Facts that every component of a page may need. */
export interface PageFacts {
  readonly now: Date;
  /** The reader's time zone, an IANA name. */
  readonly zone: string;
  readonly viewer: Viewer;
  /** Whether the reader has a session to sign out of. */
  readonly signedIn?: boolean;
  /** The path of the page, for the navigation. */
  readonly path: string;
  /**
   * The version of the fleet, from which the live stream continues. `undefined` for a page that does not change while
   * it is open: an answer to a form, or an error.
   */
  readonly live: string | undefined;
}

/** The facts of the page that is rendered. */
export const PageContext = createContext<PageFacts>({
  now: new Date(0),
  zone: "UTC",
  viewer: "public",
  path: "/",
  live: undefined,
});
