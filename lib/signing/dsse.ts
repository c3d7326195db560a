/** The only payload that is signed here: an in-toto statement. */
export const PAYLOAD_TYPE = "application/vnd.in-toto+json";

/**
 * The bytes that a DSSE signature covers: `DSSEv1 28 application/vnd.in-toto+json 2 {}`; lengths are those of bytes
 * (Dead Simple Signing Envelope 1.0, "Protocol").
 *
 * @param payload as it stands in the envelope: never JSON that was parsed and written again
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { preAuthEncoding } from "./dsse.ts";
 * const bytes = preAuthEncoding(new TextEncoder().encode('{"é":1}'));
 * assert.equal(new TextDecoder().decode(bytes), 'DSSEv1 28 application/vnd.in-toto+json 8 {"é":1}');
 * ```
 */
export function preAuthEncoding(payload: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `);
  const bytes = new Uint8Array(head.length + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}
