import { SIDES } from "../../lib/wire/node_name.ts";

/** The limit of `report.node`: percent-encoded, the name still fits into the source of an event. */
export const NODE_NAME_CHARS_MAX = 128;

/**
 * Returns why a node cannot have this name, worded as the end of a sentence; `undefined` if it can.
 *
 * `report.node` allows a few more names. A name with `.`, `..` or an empty part would change in a browser, which
 * resolves `/nodes/a/../b` to `/nodes/b`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { nodeNameFault } from "./node_name.ts";
 * assert.equal(nodeNameFault("bot-1/live"), undefined);
 * assert.equal(nodeNameFault("bot-1/../live"), 'it has the part ".."');
 * ```
 */
export function nodeNameFault(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name.length > NODE_NAME_CHARS_MAX) return `it has more than ${NODE_NAME_CHARS_MAX} characters`;
  if (/\p{C}/u.test(name)) return "it has a control or invisible character";
  for (const part of name.split("/")) {
    if (part === "") return "a part between slashes is empty";
    if (part === "." || part === "..") return `it has the part "${part}"`;
    if (part.trim() !== part) return "a part begins or ends with a space";
  }
  return undefined;
}

/**
 * Returns whether a token for the node `granted` covers events of `node`: the node itself, and its three sides. A
 * machine without `report.node` reports as its host and a side, such as `bot-1/client`. The list is closed, so that a
 * stolen token cannot fill the fleet with names.
 */
export function coversNode(granted: string, node: string): boolean {
  return nodeNameFault(node) === undefined &&
    (node === granted || SIDES.some((side) => node === `${granted}/${side}`));
}
