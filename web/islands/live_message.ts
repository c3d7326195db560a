/**
 * Returns the names of the nodes that a message of the live stream says have changed. `undefined` means any node: the
 * server does not know, or the message is of a newer server.
 */
export function changedNodes(text: string): readonly string[] | undefined {
  const message = parsed(text);
  return typeof message === "object" && message !== null && "nodes" in message
    ? namesIn(message.nodes)
    : undefined;
}

/**
 * Returns whether a change concerns a page.
 *
 * @param changed the nodes that changed; `undefined` for any
 * @param shown the page's `data-nodes`: a JSON list of names; all nodes without it
 */
export function concernsPage(changed: readonly string[] | undefined, shown: string | undefined): boolean {
  const names = shown === undefined ? undefined : namesIn(parsed(shown));
  return changed === undefined || names === undefined || changed.some((node) => names.includes(node));
}

function namesIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((name) => typeof name === "string") ? value : undefined;
}
/** Returns the value of a JSON text; `undefined` if the text is not JSON. The core's parser is not for browsers. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
