import { ArchiveGuard } from "../archive/archive_guard.ts";
import type { ArchiveLimits } from "../archive/archive_limits.ts";
import type { FileRange } from "../archive/file_range.ts";
import { openArchiveFile } from "../archive/open_archive.ts";
import type { Archive, ArchiveContent, ArchiveEntry } from "../archive/types.ts";
import { fetchZipStructure, HEAD_BYTES } from "../archive/zip_parts.ts";
import type { Context } from "../core/context.ts";
import { PartsUnavailable, RemoteParts, type RemotePartsRequest } from "../http/remote_parts.ts";
import type { Contents } from "./archive_or_file.ts";

/**
 * Between small files, the headers are fetched with the contents. If that is more of the archive, most contents would be
 * downloaded before it is known which ones have changed, and a second time with the whole archive.
 */
const STRUCTURE_SHARE_MAX = 0.125;

/**
 * A ZIP on a server, of which only the headers and the wanted contents are downloaded. Its structure is checked in the
 * same way as that of a downloaded archive. Contents that are not read are not checked.
 */
export class RemoteArchive implements Contents {
  readonly entries: readonly ArchiveEntry[];
  readonly folders: readonly string[];
  readonly #archive: Archive;
  readonly #parts: RemoteParts;

  private constructor(archive: Archive, parts: RemoteParts) {
    this.entries = archive.entries;
    this.folders = archive.folders;
    this.#archive = archive;
    this.#parts = parts;
  }

  /**
   * Opens the archive, or finds that it cannot be read in parts.
   *
   * @param request `path` is a scratch file for the parts
   * @param bytesMin a smaller archive is downloaded faster as a whole
   * @throws {PartsUnavailable} if it is no ZIP, too small, has too many small files, or the server serves no parts of one version;
   * {@link RefusedError} as `openArchive`; the errors of `download`
   */
  static async open(
    context: Context,
    request: RemotePartsRequest,
    limits: ArchiveLimits,
    bytesMin: number,
  ): Promise<RemoteArchive> {
    await using resources = new AsyncDisposableStack();
    const parts = resources.use(await RemoteParts.open(context, request, HEAD_BYTES));
    const { bytes } = parts;
    if (bytes < bytesMin) throw new PartsUnavailable(`${request.what} has ${bytes} bytes only`);
    const source = () => ({ file: parts, bytes, guard: new ArchiveGuard(request.what, bytes, limits) });
    await fetchZipStructure(
      source(),
      (ranges) => parts.fetch(ranges.map(spanOf), bytes * STRUCTURE_SHARE_MAX),
    );
    const archive = await openArchiveFile({ ...source(), signal: context.signal });
    resources.move();
    return new RemoteArchive(archive, parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#archive[Symbol.asyncDispose]();
    await this.#parts[Symbol.asyncDispose]();
  }

  /** The size of the archive. */
  get bytes(): number {
    return this.#parts.bytes;
  }

  /** The number of bytes that were downloaded so far. */
  get fetchedBytes(): number {
    return this.#parts.fetchedBytes;
  }

  /** Downloads the contents of entries, with few requests for many small ones. */
  async fetch(entries: readonly ArchiveEntry[]): Promise<void> {
    await this.#parts.fetch(entries.flatMap(({ packed }) => packed === undefined ? [] : [spanOf(packed)]));
  }

  /** As `Archive.read`. What {@link fetch} has not downloaded is downloaded when the content is read. */
  async *read(wants?: (entry: ArchiveEntry) => boolean): AsyncGenerator<ArchiveContent> {
    for await (const found of this.#archive.read(wants)) {
      yield { ...found, content: this.#fetched(found) };
    }
  }

  async *#fetched({ entry, content }: ArchiveContent): AsyncGenerator<Uint8Array> {
    await this.fetch([entry]);
    yield* content;
  }
}

function spanOf({ offset, bytes }: FileRange) {
  return { start: offset, end: offset + bytes };
}
