const UNIT_BYTES: Readonly<Record<string, number>> = { bytes: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/**
 * Returns how many bytes git says that it received, or sent, so far; `undefined` where a text does not say that.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseMoved } from "./git_progress.ts";
 * assert.equal(parseMoved("Receiving objects:  40% (2/5), 12.50 MiB | 3.00 MiB/s\r"), 12.5 * 1024 ** 2);
 * assert.equal(parseMoved("Writing objects: 100% (3/3), 512 bytes | 512 KiB/s, done.\n"), 512);
 * assert.equal(parseMoved("fatal: early EOF\n"), undefined);
 * ```
 */
export function parseMoved(text: string): number | undefined {
  const [, amount, unit] =
    /(?:Receiving|Writing) objects:.*, ([\d.]+) (bytes|KiB|MiB|GiB)[^\r\n]*$/.exec(text.trimEnd()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * (UNIT_BYTES[unit] ?? 1));
}
