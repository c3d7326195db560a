import { crc32, createInflateRaw } from "node:zlib";
import type { Archive, ArchiveContent, ArchiveEntry } from "./types.ts";
import type { ArchiveSource } from "./archive_guard.ts";
import { plural } from "../core/format.ts";
import { readRange } from "../core/read_pieces.ts";
import { readZipDirectory, type ZipMember } from "./zip_directory.ts";
import { readEndOfZip } from "./zip_end.ts";
import { isDataError, pieceBytesFor, zlibPieces } from "./zlib_pieces.ts";

/** Returns an open ZIP. It is read by its central directory, which is complete even in streamed ZIPs. */
export function openZip(source: ArchiveSource): Archive {
  const place = readEndOfZip(source.file, source.bytes, source.guard);
  const all = readZipDirectory(source, place);
  const members = all.filter(({ kind }) => kind === "file");
  return {
    format: "zip",
    entries: members.map(entryOf),
    folders: all.filter(({ kind }) => kind === "folder").map(({ path }) => path),
    read: (wants) => readMembers(source, members, wants ?? (() => true)),
    [Symbol.asyncDispose]() {
      source.file.close();
      return Promise.resolve();
    },
  };
}

function entryOf({ path, bytes, method, crc, dataOffset, compressedBytes }: ZipMember): ArchiveEntry {
  const isCompressed = method !== "stored";
  return { path, bytes, packed: { offset: dataOffset, bytes: compressedBytes, isCompressed, crc } };
}

async function* readMembers(
  source: ArchiveSource,
  members: readonly ZipMember[],
  wants: (entry: ArchiveEntry) => boolean,
): AsyncGenerator<ArchiveContent> {
  for (const member of members) {
    const entry = entryOf(member);
    if (!wants(entry)) continue;
    const place = member.method === "stored"
      ? { offset: member.dataOffset, bytes: member.compressedBytes }
      : undefined;
    yield { entry, links: [], place, content: checkedContent(source, member) };
  }
}

/** Yields the contents of one entry. Ends without an error only if they have the stated size and checksum. */
async function* checkedContent(source: ArchiveSource, member: ZipMember): AsyncGenerator<Uint8Array> {
  const { guard } = source;
  const pieces = member.method === "stored" ? rawPieces(source, member) : inflatedPieces(source, member);
  let bytes = 0;
  let crc = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > member.bytes) {
      throw guard.entryFault(
        "ARCHIVE_UNSAFE",
        member.path,
        `has more than the stated ${plural(member.bytes, "byte")}`,
      );
    }
    crc = crc32(piece, crc);
    yield piece;
  }
  if (bytes < member.bytes) {
    throw guard.entryFault(
      "ARCHIVE_DAMAGED",
      member.path,
      `has ${plural(bytes, "byte")} instead of the stated ${member.bytes}`,
    );
  }
  if (crc !== member.crc) {
    throw guard.entryFault("ARCHIVE_DAMAGED", member.path, "does not match its checksum (CRC-32)");
  }
}

function rawPieces({ file, signal }: ArchiveSource, member: ZipMember): AsyncGenerator<Uint8Array> {
  return readRange(file, { offset: member.dataOffset, bytes: member.compressedBytes }, signal);
}

async function* inflatedPieces(source: ArchiveSource, member: ZipMember): AsyncGenerator<Uint8Array> {
  const { guard } = source;
  const engine = createInflateRaw({ chunkSize: pieceBytesFor(member.bytes) });
  try {
    yield* zlibPieces(engine, rawPieces(source, member));
  } catch (error) {
    if (!isDataError(error)) throw error;
    throw guard.entryFault("ARCHIVE_DAMAGED", member.path, `cannot be decompressed: ${error.message}`, error);
  }
  if (engine.bytesWritten !== member.compressedBytes) {
    throw guard.entryFault(
      "ARCHIVE_UNSAFE",
      member.path,
      "has bytes behind the end of its compressed contents",
    );
  }
}
