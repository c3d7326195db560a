import { FailedError, RefusedError } from "../core/errors.ts";
import { quote } from "../core/quote.ts";
import { refuseOversized, type RegistryFile } from "../release/registry_file.ts";
import { askForObjects } from "./cat_file.ts";
import type { Git } from "./git.ts";
import type { ObjectId } from "./object_id.ts";

/** What a commit has at a path. */
export interface FoundPath {
  readonly id: ObjectId;
  readonly isFile: boolean;
  /** Its size in bytes. */
  readonly bytes: number;
  /** The bytes of a small file, or git's tree object of a folder; `undefined` for one that exceeds the limit. */
  readonly content: Uint8Array | undefined;
}

/** A path of a commit, and the largest file or tree object there that is kept in memory. */
export interface SoughtPath {
  /** Empty for the commit's root. */
  readonly path: string;
  readonly bytesMax: number;
}

/** Reads several paths of a commit with one git process; `undefined` for each that it does not have. */
export async function readPaths(
  git: Git,
  commit: ObjectId,
  paths: readonly SoughtPath[],
): Promise<(FoundPath | undefined)[]> {
  const action = `read ${paths[0]?.path} of commit ${commit.slice(0, 12)}`;
  const found: (FoundPath | undefined)[] = [];
  for await (const { name, header, reader } of askForObjects(git, paths.map(nameIn(commit)), action)) {
    const [, id, kind, size] = /^([0-9a-f]{40,64}) (\w+) (\d+)$/.exec(header) ?? [];
    if (id === undefined) {
      if (header !== `${name} missing`) {
        throw new FailedError(`Cannot ${action}: git answers ${quote(header)}`, { code: "GIT_OBJECT" });
      }
      found.push(undefined);
      continue;
    }
    const bytes = Number(size);
    const isFile = kind === "blob";
    const isKept = bytes <= (paths[found.length]?.bytesMax ?? 0);
    const content = isKept ? new Uint8Array(bytes) : undefined;
    let length = 0;
    for await (const piece of reader.readBytes(bytes)) {
      content?.set(piece, length);
      length += piece.length;
    }
    found.push({ id, isFile, bytes, content });
  }
  return found;
}

function nameIn(commit: ObjectId): (sought: SoughtPath) => string {
  return ({ path }) => `${commit}:${path}`;
}

/**
 * Returns the text of a file that {@link readPaths} found.
 *
 * @throws {RefusedError} it is a folder, or exceeds the size limit of its kind
 */
export function textOf({ isFile, bytes, content }: FoundPath, file: RegistryFile): string {
  if (!isFile) throw new RefusedError(`Cannot use ${file.name}: it is not a file`, { code: file.code });
  refuseOversized(file, bytes);
  return new TextDecoder().decode(content);
}
