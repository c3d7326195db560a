import { SIDES } from "../../lib/wire/node_name.ts";

/** As `report.node` allows: percent-encoded, the name still fits into the address of an event's source. */
export const NODE_NAME_CHARS_MAX = 128;

/**
 * Returns why a node cannot have this name, as the end of a sentence; `undefined` where it can.
 *
 * `report.node` takes a few names more. A name with `.`, `..` or an empty part would be another address in a browser,
 * which resolves `/nodes/a/../b` to `/nodes/b`.
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
 * Returns whether a token for the node `granted` covers events of `node`: the node itself and its sides. A machine without
 * `report.node` reports as its host and a side of it, such as `bot-1/client`. There are three, so that a stolen token
 * cannot fill the fleet with names.
 */
export function coversNode(granted: string, node: string): boolean {
  return nodeNameFault(node) === undefined &&
    (node === granted || SIDES.some((side) => node === `${granted}/${side}`));
}
