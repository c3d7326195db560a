import type { Context } from "../core/context.ts";
import { DiskError } from "../core/errors.ts";
import { plural } from "../core/format.ts";

/** Left free for manifests, the history and other programs. */
const SPARE_BYTES = 16 * 1024 * 1024;

/** Checks that the disk has room for the bytes. @throws {DiskError} code `DISK` */
export async function requireSpace(
  { freeBytes }: Pick<Context, "freeBytes">,
  folder: string,
  bytes: number,
): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || free >= bytes + SPARE_BYTES) return;
  throw new DiskError(
    `Cannot store ${bytes} more bytes in ${folder}: ${
      plural(free, "byte")
    } are free, ${SPARE_BYTES} are kept spare`,
    { code: "DISK", hint: "free some space, or run model-sync prune" },
  );
}
