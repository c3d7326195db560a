import { openArchive } from "../../lib/archive/open_archive.ts";
import { ARCHIVE_LIMITS, type ArchiveLimits } from "../../lib/archive/archive_limits.ts";
import { joined } from "./raw_zip.ts";
import { tempDir } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";

/** Returns every file of an archive in memory with its contents. */
export async function readArchive(
  bytes: Uint8Array,
  limits: Partial<ArchiveLimits> = {},
): Promise<Map<string, Uint8Array>> {
  using dir = tempDir();
  const path = `${dir.path}/archive`;
  Deno.writeFileSync(path, bytes);
  return await readArchiveFile(path, limits);
}

/** Returns every file of an archive with its contents. */
export async function readArchiveFile(
  path: string,
  limits: Partial<ArchiveLimits> = {},
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await using archive = await openArchive(testContext(), path, "models.zip", {
    ...ARCHIVE_LIMITS,
    ...limits,
  });
  for await (const { entry, links, content } of archive.read()) {
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(new Uint8Array(piece));
    for (const { path } of [entry, ...links]) files.set(path, joined(pieces));
  }
  return files;
}
