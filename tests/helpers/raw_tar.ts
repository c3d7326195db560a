import { joined } from "./raw_zip.ts";

const encoder = new TextEncoder();
const BLOCK = 512;

/** The fields of a header block; the defaults are those of a regular file. */
export interface RawTarHeader {
  readonly name: string | Uint8Array;
  readonly type?: string;
  readonly content?: string | Uint8Array;
  /** The size field: a number, written in octal, or raw bytes. */
  readonly size?: number | Uint8Array;
  readonly mode?: number;
  readonly linkName?: string;
  /** The magic and version; `ustar\0` and `00` by default. */
  readonly magic?: string;
  readonly prefix?: string;
  /** Bytes that overwrite any part of the block before the checksum is computed. */
  readonly put?: readonly (readonly [offset: number, bytes: string | Uint8Array])[];
  /** Added to the right checksum. */
  readonly checksumOff?: number;
}

/** A header, its contents and the padding of the last block. */
export function tarMember(header: RawTarHeader): Uint8Array {
  const content = typeof header.content === "string" ? encoder.encode(header.content) : header.content;
  const data = content ?? new Uint8Array(0);
  const padding = new Uint8Array((BLOCK - data.length % BLOCK) % BLOCK);
  return joined([headerBlock(header, data.length), data, padding]);
}

/** A tar of these parts, with its end blocks. */
export function rawTar(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return joined([...parts, new Uint8Array(2 * BLOCK)]);
}

/** A pax header of these records. */
export function paxHeader(records: Readonly<Record<string, string>>, type = "x"): Uint8Array {
  return tarMember({
    name: "pax",
    type,
    content: Object.entries(records).map(([key, value]) => paxRecord(key, value)).join(""),
  });
}

/** A pax record, whose length includes its own digits. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = encoder.encode(rest).length;
  let length = bytes + 1;
  while (String(length).length + bytes !== length) length++;
  return `${length}${rest}`;
}

function headerBlock(header: RawTarHeader, bytes: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (offset: number, value: string | Uint8Array) =>
    block.set(typeof value === "string" ? encoder.encode(value) : value, offset);
  const octal = (value: number, width: number) => value.toString(8).padStart(width - 1, "0");
  put(0, header.name);
  put(100, octal(header.mode ?? 0o644, 8));
  const size = header.size ?? bytes;
  put(124, typeof size === "number" ? octal(size, 12) : size);
  put(136, octal(0, 12));
  put(156, header.type ?? "0");
  put(157, header.linkName ?? "");
  put(257, header.magic ?? "ustar\x0000");
  put(345, header.prefix ?? "");
  for (const [offset, value] of header.put ?? []) put(offset, value);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0) + (header.checksumOff ?? 0);
  put(148, `${octal(sum, 7)}\0 `);
  return block;
}
