/** A name of 128 characters of four bytes. */
const NODE_BYTES_MAX = 512;
/** 255 UTF-16 units of three bytes. */
const RUN_BYTES_MAX = 765;

/** Returns whether a node can have this name: longer ones do not fit into keys, so that nothing is stored under them. */
export function isNodeKey(node: string): boolean {
  return node !== "" && bytesOf(node) <= NODE_BYTES_MAX;
}

/** Returns whether a run can have this id. */
export function isRunKey(runId: string): boolean {
  return runId !== "" && bytesOf(runId) <= RUN_BYTES_MAX;
}

/** Returns whether a text is the digest of a release. */
export function isDigest(text: string): text is `sha256:${string}` {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

function bytesOf(text: string): number {
  // A UTF-16 unit has at least one byte: what is far too long is not encoded.
  return text.length > RUN_BYTES_MAX ? Infinity : new TextEncoder().encode(text).length;
}
