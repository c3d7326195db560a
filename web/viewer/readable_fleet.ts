import type { FleetWeb } from "../store/fleet_memory.ts";
import { publicNames, publicRow, publicRows } from "./public_view.ts";
import { type FleetView, viewFleet } from "../fleet/view_fleet.ts";
import { ensureSessionKey } from "../store/session_key.ts";
import type { Viewer } from "../shared/web.ts";
import type { NodeRow } from "../store/rows.ts";

/** The fleet that a viewer may read. */
export interface ReadableFleet {
  readonly view: FleetView;
  readonly version: string;
  /** Public names by node; `undefined` for operators. */
  readonly publicNames: ReadonlyMap<string, string> | undefined;
}

/** Returns the current fleet; for the public under public names, without hosts, paths, errors and reasons. */
export async function readableFleet(
  { kv, clock, fleet }: Pick<FleetWeb, "kv" | "clock" | "fleet">,
  viewer: Viewer,
): Promise<ReadableFleet> {
  const { rows, version } = await fleet.read();
  const now = clock.now();
  if (viewer === "operator") {
    return { view: viewFleet(rows.values(), now), version, publicNames: undefined };
  }
  const names = publicNames(rows.values(), await ensureSessionKey(kv));
  const shown = Array.from(rows.values(), (row) => publicRow(row, names.get(row.node) ?? ""));
  return { view: viewFleet(shown, now), version, publicNames: names };
}

/** Returns the true name of a node by the name that the viewer knows; `undefined` if the viewer sees no such node. */
export function trueName({ view, publicNames }: ReadableFleet, name: string): string | undefined {
  if (publicNames === undefined) return view.nodes.some(({ row }) => row.node === name) ? name : undefined;
  for (const [node, shown] of publicNames) if (shown === name) return node;
  return undefined;
}

/** Returns the rows that a viewer may read; for the public without hosts, paths, errors and reasons. */
export async function readableRows(
  { kv }: Pick<FleetWeb, "kv">,
  viewer: Viewer,
  rows: Iterable<NodeRow>,
): Promise<Iterable<NodeRow>> {
  return viewer === "operator" ? rows : publicRows(rows, await ensureSessionKey(kv));
}
