/**
 * Who may see which address. Whatever is not named here is for operators alone: a page that is added is not public by
 * mistake.
 *
 * - `always`: for everybody, whatever is configured: nothing in it is about the fleet
 * - `open`: for everybody, once the dashboard is set up
 * - `events`: reports, with the token of a node
 * - `public`: for everybody where the operator made the page public, as a view without hosts, paths and errors
 * - `operator`: for people who signed in, and read tokens
 * - `person`: for people who signed in; a token that is known to a monitor does not read it
 */
export type Area = "always" | "open" | "events" | "public" | "operator" | "person";

const AREAS: readonly (readonly [RegExp, Area])[] = [
  [/^\/(healthz|robots\.txt|favicon\.(svg|ico)|static\/.*|api\/v1\/openapi\.json)$/, "always"],
  [/^\/sign-(in|out)$/, "open"],
  [/^\/api\/v1\/events$/, "events"],
  [/^\/settings(\/.*)?$/, "person"],
  [/^\/$/, "public"],
  [/^\/(nodes|releases|badge)\/.+$/, "public"],
  [/^\/(releases|incidents|incidents\.atom|status\.json)$/, "public"],
  [/^\/api\/v1\/(fleet|live)$/, "public"],
  [/^\/api\/v1\/(nodes|releases)\/.+$/, "public"],
];

/** Returns the area of a path, as the router sees it. */
export function areaOf(path: string): Area {
  return AREAS.find(([pattern]) => pattern.test(path))?.[1] ?? "operator";
}

/** Where forms and reports are posted to. Nothing else takes more than a GET. */
const POSTED = /^\/(api\/v1\/events|sign-in|sign-out|settings(\/.*)?)$/;
const ONLY_POSTED = /^\/(api\/v1\/events|sign-out|settings\/.+)$/;

/** Returns the methods that an address takes. */
export function methodsOf(path: string): readonly string[] {
  if (ONLY_POSTED.test(path)) return ["POST"];
  return POSTED.test(path) ? ["GET", "HEAD", "POST"] : ["GET", "HEAD"];
}

/** Returns whether programs read an address: they get JSON with a status where people are sent to the sign-in page. */
export function isForPrograms(path: string): boolean {
  return /^\/(api|badge)\/|^\/(healthz|metrics|status\.json|incidents\.atom)$/.test(path);
}
