import type { Archive, ArchiveContent, ArchiveEntry } from "./archive.ts";
import type { ArchiveGuard, ArchiveSource } from "./archive_guard.ts";
import { decodeUtf8 } from "./decode_utf8.ts";
import {
  isTarHeader,
  parsePaxRecords,
  parseTarHeader,
  type PaxRecords,
  TAR_BLOCK_BYTES,
  type TarHeader,
} from "./tar_header.ts";
import { fileStream, gunzipStream, type TarStream } from "./tar_stream.ts";
import { quote } from "./quote.ts";

/** Names and other records of one entry; no path is longer than 900 bytes, and times and owners are short. */
const EXTENDED_BYTES_MAX = 64 * 1024;

/** From this size on, eight octal digits do not hold it and a pax header may say it alone (POSIX: 8 GiB). */
const OCTAL_SIZE_LIMIT = 8 ** 11;

const UNSAFE_TYPES: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a FIFO",
  "K": "a link with a long target",
  "S": "a sparse file",
};

/** Opens a tar by reading it once from its beginning to its end. */
export async function openTar(source: ArchiveSource, format: "tar" | "tar.gz"): Promise<Archive> {
  const open = format === "tar" ? fileStream : gunzipStream;
  if (format === "tar.gz") await expectTar(source);
  const entries: ArchiveEntry[] = [];
  const folders: string[] = [];
  await using stream = open(source);
  let bytes = 0;
  for await (const member of readMembers(stream, source.guard)) {
    source.guard.addEntry(member.kind, member.path);
    bytes += member.bytes;
    source.guard.checkBytes(bytes);
    if (member.kind === "file") entries.push({ path: member.path, bytes: member.bytes });
    else folders.push(member.path);
  }
  source.guard.checkCollisions();
  return {
    format,
    entries,
    folders,
    read: (wants) => readEntries(source, open, entries, wants ?? (() => true)),
    [Symbol.asyncDispose]() {
      source.file.close();
      return Promise.resolve();
    },
  };
}

/** Any file can be in gzip. */
async function expectTar(source: ArchiveSource): Promise<void> {
  await using stream = gunzipStream(source);
  const block = await stream.bytes(TAR_BLOCK_BYTES);
  const isTar = isTarHeader(block) || block.length === TAR_BLOCK_BYTES && block.every((byte) => byte === 0);
  if (!isTar) throw source.guard.fault("ARCHIVE_FORMAT", "it is gzip, and holds no tar");
}

async function* readEntries(
  source: ArchiveSource,
  open: (source: ArchiveSource) => TarStream,
  entries: readonly ArchiveEntry[],
  wants: (entry: ArchiveEntry) => boolean,
): AsyncGenerator<ArchiveContent> {
  await using stream = open(source);
  let index = 0;
  for await (const member of readMembers(stream, source.guard)) {
    if (member.kind === "folder") continue;
    const entry = entries[index++];
    if (entry?.path !== member.path || entry.bytes !== member.bytes) {
      throw source.guard.fault("ARCHIVE_DAMAGED", "it changed while it was read");
    }
    if (!wants(entry)) continue;
    const place = stream.offset === undefined ? undefined : { offset: stream.offset, bytes: member.bytes };
    yield { entry, place, content: member.content };
  }
}

/** A file or a folder where it stands in a tar. */
interface TarMember<Kind extends string = "file" | "folder"> {
  readonly kind: Kind;
  readonly path: string;
  readonly bytes: number;
}

/** The members in their order; the contents of one can be taken until the next is asked for. */
async function* readMembers(
  stream: TarStream,
  guard: ArchiveGuard,
): AsyncGenerator<TarMember & { readonly content: TarContent }> {
  for (;;) {
    const header = await readDescribedHeader(stream, guard);
    if (header === undefined) break;
    const member = checkMember(header, guard);
    const content = new TarContent(stream, member, guard);
    if (member.kind !== "packed folder") yield { ...member, kind: member.kind, content };
    await content.skipRest();
  }
  await expectZeros(stream, guard);
}

/** The contents of a member, read once. */
class TarContent implements AsyncIterable<Uint8Array> {
  readonly #stream: TarStream;
  readonly #member: TarMember<string>;
  readonly #guard: ArchiveGuard;
  #left: number;

  constructor(stream: TarStream, member: TarMember<string>, guard: ArchiveGuard) {
    this.#stream = stream;
    this.#member = member;
    this.#guard = guard;
    this.#left = member.bytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for await (const piece of this.#stream.take(this.#left)) {
      this.#left -= piece.length;
      yield piece;
    }
    if (this.#left > 0) throw this.#truncated();
  }

  /** Passes over what was not taken, and over what fills the last block. */
  async skipRest(): Promise<void> {
    const count = this.#left + paddingAfter(this.#member.bytes);
    if (await this.#stream.skip(count) < count) throw this.#truncated();
  }

  #truncated(): Error {
    return this.#guard.entryFault(
      "ARCHIVE_DAMAGED",
      this.#member.path,
      "is cut off: the archive was truncated",
    );
  }
}

/** A header and what the headers before it say of it. */
interface DescribedHeader extends TarHeader {
  readonly extended: PaxRecords;
  readonly longName: string | undefined;
}

/** Reads the next header that stands for something by itself; `undefined` at the end of the tar. */
async function readDescribedHeader(
  stream: TarStream,
  guard: ArchiveGuard,
): Promise<DescribedHeader | undefined> {
  let extended: PaxRecords | undefined;
  let longName: string | undefined;
  for (;;) {
    const header = await readHeader(stream, guard);
    if (header === undefined && extended === undefined && longName === undefined) return undefined;
    const isTwice = header?.type === "x" && extended !== undefined ||
      header?.type === "L" && longName !== undefined || header?.type === "g" && extended !== undefined;
    if (header === undefined || isTwice) {
      throw guard.fault("ARCHIVE_UNSAFE", "it has a header that describes no entry");
    }
    if (header.type === "x") extended = parsePaxRecords(await readExtended(stream, header, guard), guard);
    else if (header.type === "L") longName = parseLongName(await readExtended(stream, header, guard), guard);
    else if (header.type === "g") expectNoOverride(await readExtended(stream, header, guard), guard);
    else return { ...header, extended: extended ?? {}, longName };
  }
}

async function readHeader(stream: TarStream, guard: ArchiveGuard): Promise<TarHeader | undefined> {
  const block = await stream.bytes(TAR_BLOCK_BYTES);
  if (block.length < TAR_BLOCK_BYTES) {
    throw guard.fault("ARCHIVE_DAMAGED", "its end is missing: it was truncated");
  }
  if (block.every((byte) => byte === 0)) return undefined;
  if (!isTarHeader(block)) throw guard.fault("ARCHIVE_DAMAGED", "it has a header with a wrong checksum");
  return parseTarHeader(block, guard);
}

async function readExtended(stream: TarStream, header: TarHeader, guard: ArchiveGuard): Promise<Uint8Array> {
  if (header.bytes > EXTENDED_BYTES_MAX) {
    throw guard.fault("ARCHIVE_UNSAFE", `it has a header of ${header.bytes} bytes`);
  }
  const length = header.bytes + paddingAfter(header.bytes);
  const bytes = await stream.bytes(length);
  if (bytes.length < length) {
    throw guard.fault("ARCHIVE_DAMAGED", "it ends inside a header: it was truncated");
  }
  return bytes.subarray(0, header.bytes);
}

/** GNU's long name: text, and a NUL behind it. */
function parseLongName(content: Uint8Array, guard: ArchiveGuard): string {
  const name = decodeUtf8(content.at(-1) === 0 ? content.subarray(0, -1) : content);
  if (name === undefined) throw guard.fault("ARCHIVE_UNSAFE", "it has a long name that is not UTF-8");
  return name;
}

/** A global header may say what it likes (`git archive` writes the commit), but not name files or size them. */
function expectNoOverride(content: Uint8Array, guard: ArchiveGuard): void {
  const { path, bytes } = parsePaxRecords(content, guard);
  if (path !== undefined || bytes !== undefined) {
    throw guard.fault("ARCHIVE_UNSAFE", "it has a header that names or sizes all entries at once");
  }
}

/** How `tar -C folder .` names the folder that it packs. */
const PACKED_FOLDER = [".", "./"];

function checkMember(
  header: DescribedHeader,
  guard: ArchiveGuard,
): TarMember<"file" | "folder" | "packed folder"> {
  const { extended, longName } = header;
  const fullName = extended.path ?? longName ?? header.name;
  const unsafe = (problem: string) => guard.entryFault("ARCHIVE_UNSAFE", fullName, problem);
  if (longName !== undefined && longName !== fullName) throw unsafe(`is named ${quote(longName)} too`);
  const type = header.type === "\0" ? oldType(header, fullName, guard) : header.type;
  if (type !== "0" && type !== "5") {
    throw unsafe(`is ${UNSAFE_TYPES[type] ?? `of type ${quote(type)}`}, neither a file nor a folder`);
  }
  const bytes = extended.bytes ?? header.bytes;
  // A reader that knows only one of the two would take contents for headers.
  if (bytes !== header.bytes && bytes < OCTAL_SIZE_LIMIT) {
    throw unsafe(`has two sizes, ${header.bytes} and ${bytes}`);
  }
  if (type === "5" && bytes !== 0) throw unsafe("is a folder with contents");
  if (type === "5" && PACKED_FOLDER.includes(fullName)) return { kind: "packed folder", path: "", bytes };
  const name = fullName.startsWith("./") ? fullName.slice(2) : fullName;
  if (name === "") throw unsafe("has no name");
  return type === "0"
    ? { kind: "file", path: name, bytes }
    : { kind: "folder", path: name.replace(/(?<=[^/])\/$/, ""), bytes };
}

/** Before POSIX, a file had no type, and a folder only the slash. */
function oldType({ name, longName }: DescribedHeader, fullName: string, guard: ArchiveGuard): "0" | "5" {
  const isFolder = fullName.endsWith("/");
  // A long name is cut off in the header, where its slash would be.
  if (longName === undefined && name.endsWith("/") !== isFolder) {
    throw guard.entryFault("ARCHIVE_UNSAFE", fullName, "is a file by one name and a folder by the other");
  }
  return isFolder ? "5" : "0";
}

function paddingAfter(bytes: number): number {
  return (TAR_BLOCK_BYTES - bytes % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
}

/** A tar ends with two blocks of zeros, and with more of them up to the size of a tape's record. */
async function expectZeros(stream: TarStream, guard: ArchiveGuard): Promise<void> {
  let zeros = 0;
  for await (const piece of stream.take(Infinity)) {
    if (piece.some((byte) => byte !== 0)) throw guard.fault("ARCHIVE_UNSAFE", "bytes follow its end");
    zeros += piece.length;
  }
  if (zeros < TAR_BLOCK_BYTES) throw guard.fault("ARCHIVE_DAMAGED", "its end is cut off: it was truncated");
}
