import type { Dashboard } from "./dashboard.ts";
import type { NodeRow } from "./store/rows.ts";
import type { Viewer } from "./web.ts";

/** Returns the rows that a viewer may read. */
export async function readableRows(
  _dashboard: Dashboard,
  viewer: Viewer,
  rows: Iterable<NodeRow>,
): Promise<Iterable<NodeRow>> {
  if (viewer === "operator") return rows;
  return await Promise.resolve([]);
}
