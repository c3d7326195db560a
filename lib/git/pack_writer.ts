import type { Hash } from "node:crypto";
import { join } from "node:path";
import { adler32 } from "../core/adler32.ts";
import { settleAll } from "../core/concurrency.ts";
import { FailedError } from "../core/errors.ts";
import { type FileSystem, IMMUTABLE_FILE_MODE } from "../core/files.ts";
import { writeAll } from "../core/hash.ts";
import { giveBuffer, takeBuffer } from "../core/spare_buffers.ts";
import { WriteBack } from "../core/write_back.ts";
import { encodePackIndex, type PackedObject } from "./pack_index.ts";
import type { ObjectFormat, ObjectId } from "./object_id.ts";

/** The type of an object. */
export const BLOB = 3;
/** A zlib stream of deflate with the smallest effort (RFC 1950). */
export const ZLIB_HEADER = Uint8Array.of(0x78, 0x01);
/** The most bytes of a stored block of deflate (RFC 1951). */
export const BLOCK_BYTES_MAX = 65_535;
/** Whether the block is the last one, its length, and the complement of that. */
export const BLOCK_HEADER_BYTES = 5;

interface Tools {
  readonly newHash: () => Hash;
  readonly crc32: (bytes: Uint8Array, value: number) => number;
}

export interface PackOptions {
  /** An existing folder, where the pack and its index are written. */
  readonly folder: string;
  readonly format: ObjectFormat;
  /** The number of blobs, which the pack's header states. */
  readonly count: number;
}

/**
 * Writes a pack of uncompressed blobs (gitformat-pack(5)) from bytes that the caller reads once. Git itself would hash
 * each byte twice with its slow, collision-detecting SHA-1, and compare what it wrote. The registry that receives a push
 * still checks every object that way.
 *
 * Adding bytes never waits for the disk: a full buffer is written while the next one fills. Await {@link ready} before
 * each piece, so that a slow disk does not collect buffers.
 */
export class PackWriter implements AsyncDisposable {
  readonly #fs: FileSystem;
  readonly #folder: string;
  readonly #format: ObjectFormat;
  readonly #file: Deno.FsFile;
  readonly #count: number;
  readonly #ids = new Set<ObjectId>();
  readonly #objects: PackedObject[] = [];
  readonly #tools: Tools;
  readonly #hash: Hash;
  readonly #writeBack: WriteBack;
  /** The writes of full buffers, one after the other. */
  #writing: Promise<void> = Promise.resolve();
  #buffer = takeBuffer();
  #buffered = 0;
  #written = 0;
  /** The bytes of the buffer before this position are in the current entry's checksum. */
  #summed = 0;
  #crc = 0;
  #isOpen = true;

  private constructor(fs: FileSystem, { folder, format, count }: PackOptions, tools: Tools) {
    this.#fs = fs;
    this.#folder = folder;
    this.#format = format;
    this.#count = count;
    this.#tools = tools;
    this.#hash = tools.newHash();
    this.#file = fs.openSync(this.#temporary, { write: true, createNew: true, mode: IMMUTABLE_FILE_MODE });
    this.#writeBack = new WriteBack(fs, this.#temporary);
    const header = new Uint8Array(12);
    const view = new DataView(header.buffer);
    view.setUint32(0, 0x5041_434b); // "PACK"
    view.setUint32(4, 2);
    view.setUint32(8, count);
    this.#write(header);
  }

  /** Begins a pack. The modules are loaded here, so that commands that write none start faster. */
  static async create(fs: FileSystem, options: PackOptions): Promise<PackWriter> {
    const [{ createHash }, { crc32 }] = await Promise.all([import("node:crypto"), import("node:zlib")]);
    return new PackWriter(fs, options, { newHash: () => createHash(options.format), crc32 });
  }

  /** Waits until all full buffers are written. Throws what a write has thrown. */
  async ready(): Promise<void> {
    await this.#writing;
  }

  /** Begins a blob of exactly this size. Its bytes are added to it until it is ended. */
  begin(size: number): PackedBlob {
    const offset = this.#written + this.#buffered;
    this.#summed = this.#buffered;
    this.#crc = 0;
    this.#write(entryHeader(size));
    this.#write(ZLIB_HEADER);
    return new PackedBlob(this.#tools.newHash(), size, {
      offset,
      write: (bytes) => this.#write(bytes),
      end: (id) => this.#end(id, offset),
    });
  }

  #end(id: ObjectId, offset: number): void {
    if (this.#ids.has(id)) {
      throw new FailedError(`Cannot publish two different files with the same git object ${id}`, {
        code: "GIT_CONVERTS",
        hint: "remove one of them: git can store only one of two files with the same SHA-1",
      });
    }
    this.#ids.add(id);
    this.#sum();
    this.#objects.push({ id, offset, crc: this.#crc });
  }

  /**
   * Completes the pack and its index, and syncs both.
   *
   * @returns their name without extension: `pack-1a2b…`
   */
  async finish(): Promise<string> {
    if (this.#objects.length !== this.#count) throw new TypeError("the pack lacks objects");
    this.#flush();
    const checksum = this.#hash.digest();
    await this.ready();
    await writeAll(this.#file, checksum);
    await this.#writeBack.finish();
    const name = `pack-${checksum.toString("hex")}`;
    const index = encodePackIndex(this.#format, this.#objects, checksum);
    using file = this.#fs.openSync(join(this.#folder, `${name}.idx`), {
      write: true,
      createNew: true,
      mode: IMMUTABLE_FILE_MODE,
    });
    await writeAll(file, index);
    await writeAll(file, this.#tools.newHash().update(index).digest());
    // The disk writes both at once.
    await settleAll([this.#file.sync(), file.sync()]);
    await this[Symbol.asyncDispose]();
    this.#fs.renameSync(this.#temporary, join(this.#folder, `${name}.pack`));
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    // Their failure was thrown to the caller, or another one was.
    await this.#writing.catch(() => {});
    await this.#writeBack[Symbol.asyncDispose]();
    this.#file.close();
    giveBuffer(this.#buffer);
  }

  get #temporary(): string {
    return join(this.#folder, "pack");
  }

  #write(bytes: Uint8Array): void {
    for (let start = 0; start < bytes.length;) {
      if (this.#buffered === this.#buffer.length) this.#flush();
      const piece = bytes.subarray(start, start + this.#buffer.length - this.#buffered);
      this.#buffer.set(piece, this.#buffered);
      this.#buffered += piece.length;
      start += piece.length;
    }
  }

  #flush(): void {
    this.#sum();
    const buffer = this.#buffer;
    const bytes = buffer.subarray(0, this.#buffered);
    this.#hash.update(bytes);
    this.#writing = this.#writing.then(() => this.#store(bytes)).finally(() => giveBuffer(buffer));
    // The caller gets a failure from ready(). Unhandled until then, it would end the process.
    this.#writing.catch(() => {});
    this.#buffer = takeBuffer();
    this.#written += bytes.length;
    this.#buffered = 0;
    this.#summed = 0;
  }

  async #store(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#file, bytes);
    this.#writeBack.wrote(bytes.length);
  }

  /** Adds the new bytes of the buffer to the checksum of the current entry. */
  #sum(): void {
    this.#crc = this.#tools.crc32(this.#buffer.subarray(this.#summed, this.#buffered), this.#crc);
    this.#summed = this.#buffered;
  }
}

/** Where the bytes of an entry go. */
interface Entry {
  readonly offset: number;
  write(bytes: Uint8Array): void;
  end(id: ObjectId): void;
}

/** A blob that is being written into a pack, as stored blocks. */
export class PackedBlob {
  readonly #hash: Hash;
  readonly #entry: Entry;
  #left: number;
  #blockLeft = 0;
  #adler = 1;

  constructor(hash: Hash, size: number, entry: Entry) {
    this.#hash = hash.update(`blob ${size}\0`);
    this.#left = size;
    this.#entry = entry;
    if (size === 0) this.#beginBlock();
  }

  /** Where its entry begins in the pack. */
  get offset(): number {
    return this.#entry.offset;
  }

  /** The number of bytes that are missing. */
  get left(): number {
    return this.#left;
  }

  /** Adds bytes, at most {@link left}. */
  update(bytes: Uint8Array): void {
    if (bytes.length > this.#left) throw new RangeError("more bytes than the blob has");
    this.#hash.update(bytes);
    this.#adler = adler32(bytes, this.#adler);
    for (let start = 0; start < bytes.length;) {
      if (this.#blockLeft === 0) this.#beginBlock();
      const piece = bytes.subarray(start, start + this.#blockLeft);
      this.#entry.write(piece);
      this.#blockLeft -= piece.length;
      this.#left -= piece.length;
      start += piece.length;
    }
  }

  /** Completes the blob, and returns git's name for it. */
  end(): ObjectId {
    if (this.#left !== 0) throw new RangeError("the blob lacks bytes");
    const adler = new Uint8Array(4);
    new DataView(adler.buffer).setUint32(0, this.#adler);
    this.#entry.write(adler);
    const id = this.#hash.digest("hex");
    this.#entry.end(id);
    return id;
  }

  #beginBlock(): void {
    const length = Math.min(this.#left, BLOCK_BYTES_MAX);
    const header = new Uint8Array(BLOCK_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint8(0, length === this.#left ? 1 : 0);
    view.setUint16(1, length, true);
    view.setUint16(3, ~length & 0xffff, true);
    this.#entry.write(header);
    this.#blockLeft = length;
  }
}

/** Returns type and size: 4 bits in the first byte, 7 in each further one, least significant first. */
function entryHeader(size: number): Uint8Array {
  const digits = [BLOB << 4 | size % 16];
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) digits.push(rest % 128);
  return Uint8Array.from(digits, (digit, index) => index + 1 < digits.length ? digit | 0x80 : digit);
}
