import { join } from "node:path";
import { hashFile } from "../../lib/core/hash.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Manifest, releaseFile } from "../../lib/release/manifest.ts";
import { tempDir, writeFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";

/** Returns the text of a manifest with exactly these files, and sequence 3. */
export async function manifestOf(
  files: Readonly<Record<string, string>>,
  origin: Manifest["origin"],
): Promise<string> {
  using dir = tempDir();
  writeFiles(dir.path, files);
  const entries = await Promise.all(
    Object.keys(files).map(async (path) =>
      releaseFile(path, await hashFile(Deno, join(dir.path, path), testContext()))
    ),
  );
  return formatManifest(
    await createManifest(entries, { sequence: 3, createdAt: "2026-11-21T00:00:00Z", origin }),
  );
}
