import type { ArchiveGuard } from "./archive_guard.ts";
import { decodeUtf8 } from "../core/decode_utf8.ts";
import { quote } from "../core/quote.ts";
import {
  isTarHeader,
  linkTarget,
  parseTarHeader,
  TAR_BLOCK_BYTES,
  tarDialect,
  type TarHeader,
} from "./tar_header.ts";
import { NO_RECORDS, parsePaxRecords, type PaxRecords } from "./tar_pax.ts";
import { fillHoles, readOldSparseMap, readPaxSparseMap, type SparseMap } from "./tar_sparse.ts";
import type { TarStream } from "./tar_stream.ts";

/** On Linux, an extended attribute has up to 64 KiB, and bsdtar writes each twice. Names and times are short. */
const EXTENDED_BYTES_MAX = 1024 * 1024;

/**
 * From this size on (8 GiB), the octal field of the header is too short, and only a pax header may have the size
 * (POSIX).
 */
const OCTAL_SIZE_LIMIT = 8 ** 11;

const LINK = "1";

const UNSAFE_TYPES: Readonly<Record<string, string>> = {
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a FIFO",
  "M": "the rest of a file of another volume",
};

/** A file, a folder or a hard link of a tar. */
export type TarMember =
  | {
    readonly kind: "file";
    readonly path: string;
    readonly bytes: number;
    /** The range of the contents in the archive, if they are neither compressed nor sparse. */
    readonly place: { readonly offset: number; readonly bytes: number } | undefined;
    /** Readable until the next member is requested. */
    readonly content: AsyncIterable<Uint8Array>;
  }
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/**
 * Yields the members of a tar in their order, up to its end.
 *
 * @throws {RefusedError} code `ARCHIVE_UNSAFE`, `ARCHIVE_DAMAGED` or `ARCHIVE_LIMIT`
 */
export async function* readMembers(stream: TarStream, guard: ArchiveGuard): AsyncGenerator<TarMember> {
  for (;;) {
    const header = await readDescribedHeader(stream, guard);
    if (header === undefined) break;
    const described = checkMember(header, guard);
    if (described.kind === "folder") {
      // `tar -C folder .` also packs the folder itself.
      if (described.path !== "") yield { kind: "folder", path: described.path };
    } else if (described.kind === "link") {
      yield { kind: "link", path: described.path, target: described.target };
    } else {
      const content = await openContent(stream, header, described.path, guard);
      yield { kind: "file", path: described.path, bytes: content.bytes, place: content.place, content };
      await content.skipRest();
    }
  }
  await expectZeros(stream, guard);
}

/** Returns the contents of a member. Of a sparse file, it reads the map first. */
async function openContent(
  stream: TarStream,
  { type, block, extended, bytes: headerBytes }: DescribedHeader,
  path: string,
  guard: ArchiveGuard,
): Promise<TarContent> {
  const memberBytes = extended.bytes ?? headerBytes;
  if (type === "S") {
    const map = await readOldSparseMap(stream, block, memberBytes, path, guard);
    return new TarContent(stream, path, memberBytes, map, guard);
  }
  if (extended.sparse === undefined) return new TarContent(stream, path, memberBytes, undefined, guard);
  const { map, storedBytes } = await readPaxSparseMap(stream, memberBytes, extended.sparse, path, guard);
  return new TarContent(stream, path, storedBytes, map, guard);
}

/** The contents of a member. They can be read once. */
class TarContent implements AsyncIterable<Uint8Array> {
  /** The size of the file, with its holes. */
  readonly bytes: number;
  readonly place: { readonly offset: number; readonly bytes: number } | undefined;
  readonly #stream: TarStream;
  readonly #path: string;
  readonly #map: SparseMap | undefined;
  readonly #guard: ArchiveGuard;
  readonly #padding: number;
  #left: number;

  constructor(
    stream: TarStream,
    path: string,
    storedBytes: number,
    map: SparseMap | undefined,
    guard: ArchiveGuard,
  ) {
    this.bytes = map?.bytes ?? storedBytes;
    const { offset } = stream;
    this.place = map === undefined && offset !== undefined ? { offset, bytes: storedBytes } : undefined;
    this.#stream = stream;
    this.#path = path;
    this.#map = map;
    this.#guard = guard;
    this.#padding = paddingAfter(storedBytes);
    this.#left = storedBytes;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    const take = (count: number) => this.#take(count);
    return this.#map === undefined ? take(this.#left) : fillHoles(this.#map, take);
  }

  async *#take(count: number): AsyncGenerator<Uint8Array> {
    let missing = count;
    for await (const piece of this.#stream.take(count)) {
      this.#left -= piece.length;
      missing -= piece.length;
      yield piece;
    }
    if (missing > 0) throw this.#truncated();
  }

  /** Skips the unread rest and the padding of the last block. */
  async skipRest(): Promise<void> {
    const count = this.#left + this.#padding;
    if (await this.#stream.skip(count) < count) throw this.#truncated();
  }

  #truncated(): Error {
    return this.#guard.entryFault(
      "ARCHIVE_DAMAGED",
      this.#path,
      "is cut off: the archive was truncated",
    );
  }
}

/** A header, with the information of the headers before it. */
interface DescribedHeader extends TarHeader {
  readonly extended: PaxRecords;
  readonly longName: string | undefined;
  readonly longTarget: string | undefined;
}

/** Returns the next header of a member, with the headers that describe it; `undefined` at the end of the tar. */
async function readDescribedHeader(
  stream: TarStream,
  guard: ArchiveGuard,
): Promise<DescribedHeader | undefined> {
  /** The headers before it by their types. Each type is allowed once. */
  const before = new Map<string, Uint8Array>();
  for (;;) {
    const header = await readHeader(stream, guard);
    if (header === undefined && before.size === 0) return undefined;
    const isDescription = header !== undefined && DESCRIPTIONS.includes(header.type);
    if (
      header === undefined || before.has(header.type) || (before.size > 0 && FOR_ALL.includes(header.type))
    ) {
      throw guard.fault("ARCHIVE_UNSAFE", "it has a header that describes no entry");
    }
    if (isDescription) before.set(header.type, await readExtended(stream, header, guard));
    else if (header.type === "g") expectNoOverride(await readExtended(stream, header, guard), guard);
    else if (header.type === "V") expectEmptyLabel(header, guard);
    else return describe(header, before, guard);
  }
}

/** pax records, GNU's long name and GNU's long target of a link. */
const DESCRIPTIONS = ["x", "L", "K"];

/** Global pax records and a volume label. */
const FOR_ALL = ["g", "V"];

function describe(
  header: TarHeader,
  before: ReadonlyMap<string, Uint8Array>,
  guard: ArchiveGuard,
): DescribedHeader {
  const records = before.get("x");
  const longText = (type: string) => {
    const content = before.get(type);
    return content === undefined ? undefined : parseLongText(content, guard);
  };
  return {
    ...header,
    extended: records === undefined ? NO_RECORDS : parsePaxRecords(records, guard),
    longName: longText("L"),
    longTarget: longText("K"),
  };
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

/** Returns GNU's long name or target: text with a trailing NUL. */
function parseLongText(content: Uint8Array, guard: ArchiveGuard): string {
  const name = decodeUtf8(content.at(-1) === 0 ? content.subarray(0, -1) : content);
  if (name === undefined) throw guard.fault("ARCHIVE_UNSAFE", "it has a long name that is not UTF-8");
  return name;
}

/** A global header may contain comments (`git archive` writes the commit), but neither names nor sizes of files. */
function expectNoOverride(content: Uint8Array, guard: ArchiveGuard): void {
  const { path, bytes, linkPath, sparse } = parsePaxRecords(content, guard);
  if ([path, bytes, linkPath, sparse].some((value) => value !== undefined)) {
    throw guard.fault("ARCHIVE_UNSAFE", "it has a header that names or sizes all entries at once");
  }
}

/** `tar --label` names the volume in a header without contents, which Python extracts as an empty file. */
function expectEmptyLabel({ name, bytes }: TarHeader, guard: ArchiveGuard): void {
  if (bytes !== 0) throw guard.entryFault("ARCHIVE_UNSAFE", name, "is a volume label with contents");
}

/** How `tar -C folder .` names the folder that it packs. */
const PACKED_FOLDER = [".", "./"];

type CheckedHeader =
  | { readonly kind: "file"; readonly path: string }
  /** The packed folder itself as `""`. */
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

function checkMember(header: DescribedHeader, guard: ArchiveGuard): CheckedHeader {
  const { extended, longName } = header;
  const fullName = extended.sparse?.name ?? extended.path ?? longName ?? header.name;
  const unsafe = (problem: string) => guard.entryFault("ARCHIVE_UNSAFE", fullName, problem);
  if (longName !== undefined && longName !== fullName) {
    throw unsafe(`is named ${guard.quotePath(longName)} too`);
  }
  const { path } = extended;
  if (extended.sparse !== undefined && path !== undefined && !isSparseName(path, fullName)) {
    throw unsafe(`is named ${guard.quotePath(path)} too`);
  }
  const type = header.type === "\0" ? oldType(header, fullName, guard) : header.type;
  if (!["0", "5", "S", LINK].includes(type)) {
    throw unsafe(`is ${UNSAFE_TYPES[type] ?? `of type ${quote(type)}`}, neither a file nor a folder`);
  }
  if (extended.sparse !== undefined && type !== "0") throw unsafe("is sparse, and is not a file");
  // Readers that trust the magic would read the map as contents, or the contents as headers.
  const dialect = tarDialect(header.block);
  if (type === "S" && dialect !== "gnu" || extended.sparse !== undefined && dialect !== "posix") {
    throw unsafe("is sparse in a way that its header does not know");
  }
  const bytes = extended.bytes ?? header.bytes;
  // A reader that knows only one of the sizes would read contents as headers.
  if (bytes !== header.bytes && bytes < OCTAL_SIZE_LIMIT) {
    throw unsafe(`has two sizes, ${header.bytes} and ${bytes}`);
  }
  if (type === "5" && bytes !== 0) throw unsafe("is a folder with contents");
  if (type === "5" && PACKED_FOLDER.includes(fullName)) return { kind: "folder", path: "" };
  const name = withoutDot(fullName);
  if (name === "") throw unsafe("has no name");
  const target = targetOf(header, type, fullName, guard);
  if (target !== undefined) {
    if (bytes !== 0) throw unsafe("is a hard link with contents");
    return { kind: "link", path: name, target: withoutDot(target) };
  }
  return type === "5"
    ? { kind: "folder", path: name.replace(/(?<=[^/])\/$/, "") }
    : { kind: "file", path: name };
}

/** `tar -C folder .` and `tar ./models` begin every name with a dot. */
function withoutDot(name: string): string {
  return name.startsWith("./") ? name.slice(2) : name;
}

/** GNU tar gives a sparse file a second name, for readers without support for sparse files. */
function isSparseName(path: string, name: string): boolean {
  return path === name || path.replace(/(?<=^|\/)GNUSparseFile\.\d+\/(?=[^/]*$)/, "") === name;
}

function targetOf(
  { block, extended, longTarget }: DescribedHeader,
  type: string,
  fullName: string,
  guard: ArchiveGuard,
): string | undefined {
  const unsafe = (problem: string) => guard.entryFault("ARCHIVE_UNSAFE", fullName, problem);
  const target = extended.linkPath ?? longTarget;
  if (type !== LINK) {
    if (target !== undefined) throw unsafe(`is no link, and leads to ${guard.quotePath(target)}`);
    return undefined;
  }
  if (longTarget !== undefined && longTarget !== target) {
    throw unsafe(`leads to ${guard.quotePath(longTarget)} too`);
  }
  return target ?? linkTarget(block, guard);
}

/** In tars older than POSIX, a file has no type, and a folder only its trailing slash. */
function oldType({ name, longName }: DescribedHeader, fullName: string, guard: ArchiveGuard): "0" | "5" {
  const isFolder = fullName.endsWith("/");
  // The header truncates a long name, and loses its slash.
  if (longName === undefined && name.endsWith("/") !== isFolder) {
    throw guard.entryFault("ARCHIVE_UNSAFE", fullName, "is a file by one name and a folder by the other");
  }
  return isFolder ? "5" : "0";
}

function paddingAfter(bytes: number): number {
  return (TAR_BLOCK_BYTES - bytes % TAR_BLOCK_BYTES) % TAR_BLOCK_BYTES;
}

/** A tar ends with at least two blocks of zeros, up to the size of a tape's record. */
async function expectZeros(stream: TarStream, guard: ArchiveGuard): Promise<void> {
  let zeros = 0;
  for await (const piece of stream.take(Infinity)) {
    if (piece.some((byte) => byte !== 0)) throw guard.fault("ARCHIVE_UNSAFE", "bytes follow its end");
    zeros += piece.length;
  }
  if (zeros < TAR_BLOCK_BYTES) throw guard.fault("ARCHIVE_DAMAGED", "its end is cut off: it was truncated");
}
