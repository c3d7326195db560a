import type { Dashboard } from "./dashboard.ts";
import { publicRows } from "./fleet/public_view.ts";
import type { NodeRow } from "./store/rows.ts";
import { ensureSessionKey } from "./store/session_key.ts";
import type { Viewer } from "./web.ts";

/** Returns the rows that a viewer may read: to the public, without hosts, paths, errors and reasons. */
export async function readableRows(
  { kv }: Pick<Dashboard, "kv">,
  viewer: Viewer,
  rows: Iterable<NodeRow>,
): Promise<Iterable<NodeRow>> {
  return viewer === "operator" ? rows : publicRows(rows, await ensureSessionKey(kv));
}
