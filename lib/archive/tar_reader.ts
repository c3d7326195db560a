import type { Archive, ArchiveContent, ArchiveEntry, TarFormat } from "./types.ts";
import type { ArchiveGuard, ArchiveSource } from "./archive_guard.ts";
import { isTarHeader, TAR_BLOCK_BYTES } from "./tar_header.ts";
import { readMembers } from "./tar_members.ts";
import { fileStream, gunzipStream, type TarStream, unzstdStream } from "./tar_stream.ts";

const STREAMS: Readonly<Record<TarFormat, (source: ArchiveSource) => TarStream>> = {
  "tar": fileStream,
  "tar.gz": gunzipStream,
  "tar.zst": unzstdStream,
};

const COMPRESSORS = { "tar.gz": "gzip", "tar.zst": "zstd" } as const;

/** Returns an open tar, after reading it once from beginning to end. */
export async function openTar(source: ArchiveSource, format: TarFormat): Promise<Archive> {
  const { guard } = source;
  const open = STREAMS[format];
  if (format !== "tar") await expectTar(source, open, COMPRESSORS[format]);
  const entries: ArchiveEntry[] = [];
  const folders: string[] = [];
  const files = new LinkedFiles(guard);
  await using stream = open(source);
  let bytes = 0;
  for await (const member of readMembers(stream, guard)) {
    guard.addEntry(member.kind === "folder" ? "folder" : "file", member.path);
    if (member.kind === "folder") {
      folders.push(member.path);
      continue;
    }
    const entry = member.kind === "file"
      ? files.add({ path: member.path, bytes: member.bytes })
      : files.addLink(member.path, member.target);
    entries.push(entry);
    // A link counts as another copy, because it is extracted as one.
    bytes += entry.bytes;
    guard.checkBytes(bytes);
  }
  guard.checkCollisions();
  return {
    format,
    entries,
    folders,
    read: (wants) => readFiles(source, open, files, wants ?? (() => true)),
    [Symbol.asyncDispose]() {
      source.file.close();
      return Promise.resolve();
    },
  };
}

/** Checks that the decompressed content is a tar, because other files can be compressed, too. */
async function expectTar(
  source: ArchiveSource,
  open: (source: ArchiveSource) => TarStream,
  compressor: string,
): Promise<void> {
  await using stream = open(source);
  const block = await stream.bytes(TAR_BLOCK_BYTES);
  const isTar = isTarHeader(block) || block.length === TAR_BLOCK_BYTES && block.every((byte) => byte === 0);
  if (!isTar) throw source.guard.fault("ARCHIVE_FORMAT", `it is ${compressor} without a tar inside`);
}

/** The files of a tar in their order, each with its hard links. */
class LinkedFiles {
  readonly #guard: ArchiveGuard;
  /** Each group is a file followed by its links. */
  readonly groups: ArchiveEntry[][] = [];
  readonly #groupOf = new Map<string, ArchiveEntry[]>();

  constructor(guard: ArchiveGuard) {
    this.#guard = guard;
  }

  add(file: ArchiveEntry): ArchiveEntry {
    const group = [file];
    this.groups.push(group);
    this.#groupOf.set(file.path, group);
    return file;
  }

  /** @throws {RefusedError} code `ARCHIVE_UNSAFE` if no file with the target's name was added before */
  addLink(path: string, target: string): ArchiveEntry {
    const group = this.#groupOf.get(target);
    const [file] = group ?? [];
    if (group === undefined || file === undefined) {
      throw this.#guard.entryFault(
        "ARCHIVE_UNSAFE",
        path,
        `is a hard link to ${this.#guard.quotePath(target)}, which is not a file before it in the archive`,
      );
    }
    const link = { path, bytes: file.bytes };
    group.push(link);
    this.#groupOf.set(path, group);
    return link;
  }
}

async function* readFiles(
  source: ArchiveSource,
  open: (source: ArchiveSource) => TarStream,
  { groups }: LinkedFiles,
  wants: (entry: ArchiveEntry) => boolean,
): AsyncGenerator<ArchiveContent> {
  await using stream = open(source);
  let index = 0;
  for await (const member of readMembers(stream, source.guard)) {
    if (member.kind !== "file") continue;
    const group = groups[index++] ?? [];
    if (group[0]?.path !== member.path || group[0].bytes !== member.bytes) {
      throw source.guard.fault("ARCHIVE_DAMAGED", "it changed during the read");
    }
    const [entry, ...links] = group.filter(wants);
    if (entry !== undefined) yield { entry, links, place: member.place, content: member.content };
  }
}
