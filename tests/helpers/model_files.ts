import { createHash } from "node:crypto";
import type { ModelFile } from "../../lib/validators/model_file.ts";
import { writeFiles } from "./temp_dir.ts";

/** Writes files below a folder, and returns them as validators get them. */
export function modelFiles(root: string, files: Readonly<Record<string, string | Uint8Array>>): ModelFile[] {
  writeFiles(root, files);
  return Object.entries(files).map(([path, content]) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { path, location: `${root}/${path}`, size: bytes.length, sha256 };
  });
}
