import { crc32, deflateRawSync } from "node:zlib";
import { joined } from "./raw_zip.ts";

/**
 * Builds a ZIP like upload-artifact: streamed, so that sizes and checksums are in a data descriptor behind each content
 * (APPNOTE 4.3.9) instead of its header.
 */
export function streamedZip(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  const add = (part: Uint8Array) => {
    parts.push(part);
    offset += part.length;
  };
  for (const [path, text] of Object.entries(files)) {
    const name = new TextEncoder().encode(path);
    const content = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const packed = deflateRawSync(content);
    const sums = [crc32(content), packed.length, content.length];
    const start = offset;
    // Version 2.0, flags "descriptor" and "UTF-8", deflated, 1980-01-01 00:00.
    const common = [[2, 20], [2, 0x808], [2, 8], [2, 0], [2, 0x21]] as const;
    add(fields([4, 0x04034b50], ...common, [4, 0], [4, 0], [4, 0], [2, name.length], [2, 0]));
    add(name);
    add(packed);
    add(fields([4, 0x08074b50], ...sums.map((sum) => [4, sum] as const)));
    directory.push(
      fields(
        [4, 0x02014b50],
        // Made by version 2.0 of Unix.
        [2, 0x0314],
        ...common,
        ...sums.map((sum) => [4, sum] as const),
        [2, name.length],
        ...[2, 2, 2, 2].map((width) => [width, 0] as const),
        // A regular file, mode 0644.
        [4, 0o100644 * 0x10000],
        [4, start],
      ),
      name,
    );
  }
  const start = offset;
  directory.forEach(add);
  const count = Object.keys(files).length;
  add(
    fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, offset - start], [4, start], [2, 0]),
  );
  return joined(parts);
}

/** Little-endian numbers, each with its width in bytes. */
function fields(...values: readonly (readonly [width: number, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [width, value] of values) {
    if (width === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
    offset += width;
  }
  return bytes;
}
