import type { Context } from "../core/context.ts";
import { DiskError } from "../core/errors.ts";
import { formatBytes } from "../core/format.ts";

/** Left free for manifests, the history and other programs. */
export const SPARE_BYTES = 16 * 1024 * 1024;

/** Checks that the disk has room for the bytes. @throws {DiskError} code `DISK` */
export async function requireSpace(
  { freeBytes }: Pick<Context, "freeBytes">,
  folder: string,
  bytes: number,
): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= bytes + SPARE_BYTES) return;
  throw new DiskError(
    `Cannot store ${formatBytes(bytes)} more in ${folder}: ${formatBytes(free)} free, ${
      formatBytes(SPARE_BYTES)
    } kept spare`,
    { code: "DISK", hint: "free some space, or run model-sync prune" },
  );
}
