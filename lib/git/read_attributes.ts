import { ATTRIBUTES, ATTRIBUTES_BYTES_MAX } from "./attributes.ts";
import { fetchBlobs, readSmallBlob } from "./blobs.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";
import type { Registry } from "./registry.ts";
import { listTree } from "./tree.ts";

/** Returns the text of the `.gitattributes` of a commit; an empty one if it has none. */
export async function readAttributes(registry: Registry, git: Git, commit: ObjectId): Promise<string> {
  const [entry] = await listTree(git, commit, [ATTRIBUTES]);
  if (entry === undefined) return "";
  await fetchBlobs(registry, [entry.blob]);
  const bytes = await readSmallBlob(registry.git, entry.blob, {
    name: `${ATTRIBUTES} of commit ${commit.slice(0, 12)}`,
    bytesMax: ATTRIBUTES_BYTES_MAX,
    code: "REGISTRY_UNFIT",
  });
  return new TextDecoder().decode(bytes);
}
