/**
 * The access area of each address. Addresses that are not listed are for operators only, so that a new page is not
 * public by mistake.
 *
 * - `always`: everyone, in any configuration; nothing here is about the fleet
 * - `open`: everyone, once the dashboard is set up
 * - `events`: reports with the token of a node
 * - `public`: everyone if the operator made the page public, without hosts, paths and errors
 * - `operator`: people who are signed in, and read tokens
 * - `person`: people who are signed in, but no read tokens
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

/** Returns the area of a path in the form that the router uses. */
export function areaOf(path: string): Area {
  return AREAS.find(([pattern]) => pattern.test(path))?.[1] ?? "operator";
}

/** Addresses that accept POST. All others accept only GET and HEAD. */
const POSTED = /^\/(api\/v1\/events|sign-in|sign-out|settings(\/.*)?)$/;
const ONLY_POSTED = /^\/(api\/v1\/events|sign-out|settings\/.+)$/;

/** Returns the methods that an address accepts. */
export function methodsOf(path: string): readonly string[] {
  if (ONLY_POSTED.test(path)) return ["POST"];
  return POSTED.test(path) ? ["GET", "HEAD", "POST"] : ["GET", "HEAD"];
}

/**
 * Returns whether an address is for programs, which get JSON with a status instead of a redirect to the sign-in page.
 */
export function isForPrograms(path: string): boolean {
  return /^\/(api|badge)\/|^\/(healthz|metrics|status\.json|incidents\.atom)$/.test(path);
}
