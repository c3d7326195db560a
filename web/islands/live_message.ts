/** What the server says when something has changed. */
export interface LiveMessage {
  /** Up to which change the message goes; `undefined` where the server does not know what changed. */
  readonly version: string | undefined;
  /** The nodes that changed; `undefined`: it may be any. */
  readonly nodes: readonly string[] | undefined;
}

/** Returns what a message says. One that this page does not understand, of a newer server say, may mean anything. */
export function parseLiveMessage(text: string): LiveMessage {
  const json = parsed(text);
  if (typeof json !== "object" || json === null) return { version: undefined, nodes: undefined };
  const version = "version" in json && typeof json.version === "string" ? json.version : undefined;
  const nodes = "nodes" in json ? namesIn(json.nodes) : undefined;
  return { version, nodes: "reload" in json && json.reload === true ? undefined : nodes };
}

/** Whether a message is about what a page shows. @param shown as the page's `data-nodes` has it: all nodes without it */
export function concernsPage({ nodes }: LiveMessage, shown: string | undefined): boolean {
  const names = shown === undefined ? undefined : namesIn(parsed(shown));
  return nodes === undefined || names === undefined || nodes.some((node) => names.includes(node));
}

function namesIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((name) => typeof name === "string") ? value : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
