import { join } from "node:path";
import { ByteReader } from "../core/byte_reader.ts";
import { FailedError } from "../core/errors.ts";
import type { FileSystem } from "../core/files.ts";
import type { Git } from "./git.ts";
import type { ObjectId, Registry } from "./registry.ts";

/** The names of those blobs that the clone does not hold. */
export async function findMissing(git: Git, remote: string, ids: readonly ObjectId[]): Promise<ObjectId[]> {
  if (ids.length === 0) return [];
  // A partial clone would fetch each blob that it is asked about, one by one: it is told to be none.
  const output = await git.with({ config: [`remote.${remote}.promisor=false`] }).bytes([
    "cat-file",
    "--batch-check=%(objectname)",
  ], {
    action: "look for files in the clone",
    stdin: ids.join("\n") + "\n",
  });
  const missing: ObjectId[] = [];
  for (const line of new TextDecoder().decode(output).split("\n")) {
    if (line.endsWith(" missing")) missing.push(line.slice(0, -" missing".length));
  }
  return missing;
}

/**
 * The clone's git with a scratch folder for new objects. Blobs are fetched into it, read once, and thrown away: the
 * store keeps the files, so a clone of our own does not grow with every release.
 */
export function withScratchObjects(registry: Registry, fs: FileSystem, scratch: string): Git {
  const objects = join(scratch, "objects");
  fs.mkdirSync(objects, { recursive: true });
  return registry.git.with({
    env: {
      GIT_OBJECT_DIRECTORY: objects,
      GIT_ALTERNATE_OBJECT_DIRECTORIES: registry.objectsDir,
    },
  });
}

/** A blob's size and its bytes, which must be read before the next blob is asked for. */
export interface Blob {
  readonly id: ObjectId;
  readonly bytes: number;
  readonly content: AsyncIterable<Uint8Array>;
}

/** Reads blobs in the order asked for, streamed. All of them have to be in the clone or the scratch folder. */
export async function* readBlobs(git: Git, ids: readonly ObjectId[]): AsyncGenerator<Blob> {
  if (ids.length === 0) return;
  const action = "read files from the clone";
  const process = git.start(["cat-file", "--batch", "--buffer"], { action, stdin: ids.join("\n") + "\n" });
  const reader = new ByteReader(process.stdout);
  try {
    for (const id of ids) {
      const header = await reader.readLine();
      const bytes = /^[0-9a-f]{40,64} blob (\d+)$/.exec(header ?? "")?.[1];
      if (header === undefined) throw git.error(action, await process.exit);
      if (bytes === undefined) {
        throw new FailedError(`Cannot ${action}: git answers ${JSON.stringify(header)} for ${id}`, {
          code: "GIT_OBJECT",
        });
      }
      yield { id, bytes: Number(bytes), content: reader.readBytes(Number(bytes)) };
      await reader.readLine();
    }
  } finally {
    await reader.cancel();
  }
  const exit = await process.exit;
  if (exit.code !== 0) throw git.error(action, exit);
}

/** Reads one small blob whole. */
export async function readSmallBlob(git: Git, id: ObjectId, bytesMax: number): Promise<Uint8Array> {
  for await (const blob of readBlobs(git, [id])) {
    if (blob.bytes > bytesMax) {
      throw new FailedError(
        `Cannot read object ${id}: it has ${blob.bytes} bytes, at most ${bytesMax} are read`,
        {
          code: "GIT_OBJECT",
        },
      );
    }
    const result = new Uint8Array(blob.bytes);
    let offset = 0;
    for await (const piece of blob.content) {
      result.set(piece, offset);
      offset += piece.length;
    }
    return result;
  }
  throw new FailedError(`Cannot read object ${id}: git answered nothing`, { code: "GIT_OBJECT" });
}
