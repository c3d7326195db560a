import { plural } from "../../core/format.ts";
import { InvalidModelError } from "../invalid_model.ts";

/** Small messages lie close together and are read byte by byte; larger ones are mostly skipped. */
const WINDOW_BYTES = 16 * 1024;

/** 64 bits in groups of seven (https://protobuf.dev/programming-guides/encoding/). */
const VARINT_BYTES_MAX = 10;

/** Names of inputs, tensors and files. The longest, which exporters derive from module paths, have some hundred bytes. */
const TEXT_BYTES_MAX = 4096;

/** Bounds the time. Forests write a field for each threshold: the largest have tens of millions. */
const FIELDS_MAX = 50_000_000;

/** The wire types of Protocol Buffers; ONNX files have no groups (3, 4), which its first version had. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** A field of a message, with the byte range of its value in the file. */
export interface ProtobufField {
  readonly id: number;
  readonly wire: number;
  readonly start: number;
  readonly end: number;
  /** The unsigned value of a varint, above 2^53 the nearest double; 0 for other kinds. */
  readonly value: number;
  /** The lower 32 bits of a varint, which C++ readers take for an `enum` or `int32`. */
  readonly low: number;
}

/**
 * Reads Protocol Buffers from a file. Values that the caller does not request are skipped, so a model of gigabytes costs
 * no more than its structure. The bytes may be hostile: every length is checked against the bytes that are left.
 */
export class ProtobufFile {
  readonly size: number;
  readonly #path: string;
  readonly #file: Pick<Deno.FsFile, "readSync" | "seekSync">;
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #windowStart = 0;
  #windowEnd = 0;
  #at = 0;
  #value = 0;
  #low = 0;
  #fields = 0;

  /** @param path the name of the file in errors */
  constructor(path: string, file: Pick<Deno.FsFile, "readSync" | "seekSync">, size: number) {
    this.#path = path;
    this.#file = file;
    this.size = size;
  }

  /**
   * Returns the field at this offset. The next field begins at its `end`.
   *
   * @param end the end of the message
   * @param message its name in errors: `the graph`
   * @throws {InvalidModelError} when there is no valid field
   */
  field(at: number, end: number, message: string): ProtobufField {
    this.#fields += 1;
    if (this.#fields > FIELDS_MAX) throw this.invalid(at, message, `more than ${FIELDS_MAX} fields`);
    this.#at = at;
    this.#readVarint(end, message);
    const id = this.#value > 0xffffffff ? 0 : this.#low >>> 3;
    const wire = this.#low & 7;
    if (id === 0) throw this.invalid(at, message, "a field number that does not exist");
    if (wire === WIRE.varint) {
      const start = this.#at;
      this.#readVarint(end, message);
      return { id, wire, start, end: this.#at, value: this.#value, low: this.#low };
    }
    const length = this.#valueLength(wire, at, end, message);
    if (length > end - this.#at) {
      throw this.invalid(
        at,
        message,
        `a field of ${plural(length, "byte")} where ${end - this.#at} are left`,
      );
    }
    return { id, wire, start: this.#at, end: this.#at + length, value: 0, low: 0 };
  }

  /** Returns the text of a field. */
  text({ start, end }: ProtobufField, message: string): string {
    if (end - start > TEXT_BYTES_MAX) {
      throw this.invalid(
        start,
        message,
        `a text of ${end - start} bytes, more than ${TEXT_BYTES_MAX}`,
      );
    }
    const bytes = new Uint8Array(end - start);
    for (let at = start; at < end; at++) bytes[at - start] = this.#byte(at, message);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw this.invalid(start, message, "a text that is not UTF-8");
    }
  }

  /** Returns the refusal for a problem at a byte. */
  invalid(at: number, message: string, problem: string): InvalidModelError {
    return new InvalidModelError(
      this.#path,
      `it is not a valid ONNX model: at byte ${at}, in ${message}, ${problem}`,
    );
  }

  #valueLength(wire: number, at: number, end: number, message: string): number {
    if (wire === WIRE.fixed64) return 8;
    if (wire === WIRE.fixed32) return 4;
    if (wire !== WIRE.bytes) throw this.invalid(at, message, `a field of the unknown kind ${wire}`);
    this.#readVarint(end, message);
    return this.#value;
  }

  #readVarint(end: number, message: string): void {
    const start = this.#at;
    let value = 0;
    let low = 0;
    let scale = 1;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      if (this.#at >= end) throw this.invalid(start, message, "a number that is cut off");
      const byte = this.#byte(this.#at, message);
      this.#at += 1;
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (index < 5) low |= (byte & 0x7f) << (7 * index);
      if (byte < 0x80) {
        this.#value = value;
        this.#low = low >>> 0;
        return;
      }
    }
    throw this.invalid(start, message, `a number of more than ${VARINT_BYTES_MAX} bytes`);
  }

  #byte(at: number, message: string): number {
    if (at < this.#windowStart || at >= this.#windowEnd) this.#fill(at);
    const byte = this.#window[at - this.#windowStart];
    if (byte === undefined || at >= this.#windowEnd) throw this.invalid(at, message, "the file ends");
    return byte;
  }

  #fill(at: number): void {
    this.#file.seekSync(at, Deno.SeekMode.Start);
    const count = this.#file.readSync(this.#window) ?? 0;
    this.#windowStart = at;
    this.#windowEnd = at + count;
  }
}
