import { decodeUtf8 } from "../../core/decode_utf8.ts";
import { plural } from "../../core/format.ts";
import { quote } from "../../core/quote.ts";
import { FileWindow } from "../../core/read_at.ts";
import { FormatProblem } from "../invalid_model.ts";

/**
 * Four times the header with the largest vocabulary known (262,000 words with their merges). Walking it takes a second.
 */
const HEADER_BYTES_MAX = 64 * 1024 * 1024;

const WINDOW_BYTES = 64 * 1024;

/** The format's limit for keys. The limit for names of tensors is lower and depends on the program. */
const NAME_BYTES_MAX = 65_535;

/** Bytes of a value by its type number; strings (8) and lists (9) have no fixed size. */
const VALUE_BYTES: ReadonlyMap<number, number> = new Map([
  [0, 1], // uint8
  [1, 1], // int8
  [2, 2], // uint16
  [3, 2], // int16
  [4, 4], // uint32
  [5, 4], // int32
  [6, 4], // float32
  [7, 1], // bool
  [10, 8], // uint64
  [11, 8], // int64
  [12, 8], // float64
]);
export const UINT32 = 4;
const TEXT = 8;
const LIST = 9;

/** Lists of lists are rare; deeper ones are unknown. */
const LIST_DEPTH_MAX = 4;

/** Reads the header of a GGUF file value by value. All methods throw {@link FormatProblem} and file system errors. */
export class GgufReader {
  readonly #window: FileWindow;
  readonly #size: number;
  readonly #littleEndian: boolean;
  #position: number;

  constructor(
    file: Pick<Deno.FsFile, "readSync" | "seekSync">,
    options: { readonly offset: number; readonly size: number; readonly littleEndian: boolean },
  ) {
    this.#window = new FileWindow(file, Math.min(WINDOW_BYTES, options.size));
    this.#position = options.offset;
    this.#size = options.size;
    this.#littleEndian = options.littleEndian;
  }

  get position(): number {
    return this.#position;
  }

  uint32(): number {
    return this.#view(4).getUint32(0, this.#littleEndian);
  }

  /** Reads a 64-bit number. Those that a double cannot hold exactly are larger than any file. */
  uint64(): number {
    return Number(this.#view(8).getBigUint64(0, this.#littleEndian));
  }

  /** Reads a key or the name of a tensor. */
  name(): string {
    const length = this.uint64();
    if (length > NAME_BYTES_MAX) {
      throw new FormatProblem(
        `it has a name of ${length} bytes at byte ${this.#position}, at most ${NAME_BYTES_MAX}`,
      );
    }
    const text = decodeUtf8(this.#bytes(length));
    if (text === undefined) {
      throw new FormatProblem(`it has a name that is not UTF-8 before byte ${this.#position}`);
    }
    return text;
  }

  /** Skips a value of this type. @param key its key, for errors */
  skipValue(type: number, key: string, depth = 0): void {
    if (type === TEXT) return this.#skip(this.uint64());
    if (type === LIST) return this.#skipList(key, depth + 1);
    const bytes = VALUE_BYTES.get(type);
    if (bytes === undefined) {
      throw new FormatProblem(`${quote(key)} has a value of type ${type}, expected 0 to 12`);
    }
    this.#skip(bytes);
  }

  #skipList(key: string, depth: number): void {
    if (depth > LIST_DEPTH_MAX) {
      throw new FormatProblem(`${quote(key)} has lists more than ${LIST_DEPTH_MAX} levels deep`);
    }
    const type = this.uint32();
    const count = this.uint64();
    const bytes = VALUE_BYTES.get(type);
    if (bytes !== undefined) return this.#skip(count * bytes);
    // Each takes at least eight bytes, so the size of the file bounds the loop, whatever the count.
    for (let index = 0; index < count; index++) this.skipValue(type, key, depth);
  }

  #skip(bytes: number): void {
    this.#require(bytes);
    this.#position += bytes;
  }

  #bytes(length: number): Uint8Array {
    this.#require(length);
    const bytes = this.#window.bytes(this.#position, length);
    if (bytes === undefined) throw new FormatProblem(`it ends at byte ${this.#position}, inside its header`);
    this.#position += length;
    return bytes;
  }

  #view(length: number): DataView {
    const bytes = this.#bytes(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  #require(bytes: number): void {
    const end = this.#position + bytes;
    if (end > this.#size) {
      throw new FormatProblem(
        `it is ${plural(this.#size, "byte")}, but its header announces ${bytes} at byte ${this.#position}`,
      );
    }
    if (end > HEADER_BYTES_MAX) {
      throw new FormatProblem(`its header is larger than the limit of ${HEADER_BYTES_MAX} bytes`);
    }
  }
}
