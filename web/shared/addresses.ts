import { sourceOf } from "../../lib/wire/event_names.ts";

/** The addresses of the dashboard's pages and feeds. */
export const addresses = {
  fleet: () => "/",
  node: (node: string) => `/nodes/${sourceOf(node)}`,
  run: (runId: string, node: string) =>
    `/runs/${encodeURIComponent(runId.toWellFormed())}?node=${encodeURIComponent(node.toWellFormed())}`,
  news: () => "/news",
  releases: () => "/releases",
  release: (digest: string) => `/releases/${digest}`,
  releaseDiff: (digest: string, against: string) => `/releases/${digest}?against=${against}`,
  pullRequests: () => "/pull-requests",
  incidents: () => "/incidents",
  incidentsFeed: () => "/incidents.atom",
  settings: () => "/settings",
  /** The settings page, asking for a confirmation. */
  confirm: (ask: "rotate" | "revoke", token: string) =>
    `/settings?ask=${ask}&token=${encodeURIComponent(token)}`,
  signIn: () => "/sign-in",
  signOut: () => "/sign-out",
  statusJson: () => "/status.json",
  metrics: () => "/metrics",
  badge: (node: string) => `/badge/${sourceOf(node)}.svg`,
  favicon: (state: string) => `/favicon.svg?state=${state}`,
  openApi: () => "/api/v1/openapi.json",
} as const;

/**
 * Returns an address that a node reported if it is a web address; `undefined` for any other scheme, such as
 * `javascript:`.
 */
export function webLink(address: string | undefined): string | undefined {
  const url = address === undefined ? null : URL.parse(address);
  return url?.protocol === "https:" || url?.protocol === "http:" ? url.href : undefined;
}

/** The addresses that the forms of the settings page post to. */
export const SETTINGS_FORMS = {
  createToken: "/settings/tokens",
  rotateToken: "/settings/tokens/rotate",
  revokeToken: "/settings/tokens/revoke",
  removeNode: "/settings/forget-node",
  publicPage: "/settings/public",
  retention: "/settings/retention",
  password: "/settings/password",
  signEveryoneOut: "/settings/sign-everyone-out",
} as const;
