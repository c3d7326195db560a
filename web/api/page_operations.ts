import type { Answer, Media, Operation } from "./operations.ts";

/** The operations for people: pages, forms and static files. */

const HTML: Media = { "text/html": {} };
const TEXT: Media = { "text/plain": {} };
const FORM: Media = { "application/x-www-form-urlencoded": {} };

function page(description: string): Answer {
  return { description, content: HTML };
}

/** Denials of the guard are plain text, which needs no other file. */
function refusal(description: string): Answer {
  return { description, content: { ...TEXT, ...HTML } };
}

const GUARD: Operation["answers"] = {
  303: { description: "A redirect, such as to the sign-in page" },
  400: refusal("The address or the query cannot be read"),
  403: refusal("The host name or the proxy is refused because the dashboard has no password"),
  500: refusal("The dashboard's log has the reason"),
  503: refusal("No password is set, or the database cannot be read"),
};

interface PageChoice {
  readonly isPublic?: boolean;
  readonly place?: readonly [name: string, description: string];
}

function pageAt(route: string, summary: string, { isPublic = false, place }: PageChoice = {}): Operation {
  return {
    method: "get",
    path: route.replace(/:(\w+)/, "{$1}"),
    route,
    summary,
    tag: "pages",
    security: ["session", "readToken"],
    isPublic,
    ...(place === undefined ? {} : { pathParameters: { [place[0]]: place[1] } }),
    answers: { ...GUARD, 200: page("The page"), 404: page("Nothing has this address") },
  };
}

function formAt(route: string, summary: string): Operation {
  return {
    method: "post",
    path: route,
    route,
    summary,
    tag: "pages",
    security: ["session"],
    body: FORM,
    answers: {
      ...GUARD,
      200: page("The page with the result"),
      401: refusal("The password is wrong"),
      404: page("The token or the node no longer exists"),
      408: refusal("The form did not arrive"),
      413: refusal("The form is too long"),
      415: refusal("The content type is wrong"),
      429: refusal("Too many attempts"),
    },
  };
}

function fileAt(route: string, summary: string, content: Media, more: Operation["answers"] = {}): Operation {
  return {
    method: "get",
    path: route.replace(/:(\w+)/, "{$1}"),
    route,
    summary,
    tag: "pages",
    security: [],
    ...(route.includes(":") ? { pathParameters: { name: "The file's name" } } : {}),
    answers: {
      200: { description: "The file", content },
      400: refusal("The address cannot be read"),
      ...more,
    },
  };
}

const NODE = ["node", "The node's name; its slashes stay slashes"] as const;
const DIGEST = ["digest", "The release's digest, or the beginning of it"] as const;

export const PAGE_OPERATIONS: readonly Operation[] = [
  pageAt("/", "Shows the fleet", { isPublic: true }),
  pageAt("/news", "Shows the activity of the fleet"),
  pageAt("/nodes/:node", "Shows a node", { isPublic: true, place: NODE }),
  pageAt("/runs/:run", "Shows a run", { place: ["run", "The run's id"] }),
  pageAt("/releases", "Shows the releases", { isPublic: true }),
  pageAt("/releases/:digest", "Shows a release", { isPublic: true, place: DIGEST }),
  pageAt("/pull-requests", "Shows the pull requests of reference syncs"),
  pageAt("/incidents", "Shows the incidents", { isPublic: true }),
  pageAt("/settings", "Shows tokens and settings"),
  pageAt("/sign-in", "Shows the form to sign in"),
  formAt("/sign-in", "Signs in"),
  formAt("/sign-out", "Signs out"),
  formAt("/settings/tokens", "Creates a token"),
  formAt("/settings/tokens/rotate", "Replaces a token"),
  formAt("/settings/tokens/revoke", "Revokes a token"),
  formAt("/settings/forget-node", "Removes a node with its history"),
  formAt("/settings/public", "Makes the dashboard public or private"),
  formAt("/settings/retention", "Sets how long history is kept"),
  formAt("/settings/password", "Sets the password"),
  formAt("/settings/sign-everyone-out", "Ends all sessions"),
  fileAt("/static/:name", "Returns a stylesheet or a script", { "text/css": {}, "text/javascript": {} }, {
    404: page("There is no such file"),
  }),
  fileAt("/favicon.svg", "Returns the icon", { "image/svg+xml": {} }),
  fileAt("/favicon.ico", "Redirects to the icon", {}, { 308: { description: "The icon's address" } }),
  fileAt("/robots.txt", "Asks search engines not to index the pages", TEXT),
];
