import { decodeUtf8 } from "../core/decode_utf8.ts";
import { quote } from "../core/quote.ts";

/** Unsupported archive and compression formats by their first bytes. Sources: the specifications of the formats. */
const FORMATS: readonly { readonly name: string; readonly beginning: RegExp }[] = [
  { name: "compressed by xz", beginning: /^\xfd7zXZ\0/ },
  { name: "compressed by bzip2", beginning: /^BZh[1-9](?:1AY&SY|.rE8P)/s },
  { name: "compressed by lz4", beginning: /^(?:\cD"M|\cB!L)\cX/ },
  { name: "compressed by lzip", beginning: /^LZIP[\0\cA]/ },
  { name: "compressed by LZMA", beginning: /^\]\0\0..(?:\xff{8}|.{3}\0{5})/s },
  { name: "a 7z archive", beginning: /^7z\xbc\xaf'/ },
  { name: "a RAR archive", beginning: /^Rar!\cZ\cG/ },
  { name: "a CAB archive", beginning: /^MSCF\0{4}/ },
  { name: "a cpio archive", beginning: /^0707(?:0[127])/ },
  { name: "an ar archive", beginning: /^!<arch>\n/ },
];

/** Enough of the beginning to recognize an error page. */
const SHOWN_CHARACTERS = 24;

/** The signature of most binary formats has at most this length. */
const SHOWN_BYTES = 8;

/** A character of UTF-8 has up to four bytes. */
const TEXT_BYTES = SHOWN_CHARACTERS * 4;

/**
 * Returns the description of a file that is not a supported archive, as the end of "Cannot use models.zip: ". It names
 * a known format, and otherwise shows the beginning of a text or the first bytes in hexadecimal.
 *
 * @param head the first bytes, at least 100 if the file has them
 */
export function describeOther(head: Uint8Array): string {
  if (head.length === 0) return "it is empty";
  const latin1 = new TextDecoder("latin1").decode(head.subarray(0, 64));
  const format = FORMATS.find(({ beginning }) => beginning.test(latin1));
  if (format !== undefined) return `it is ${format.name}, which model-sync does not read`;
  const text = beginningOfText(head);
  const beginning = text === undefined
    ? `the bytes ${Array.from(head.subarray(0, SHOWN_BYTES), hex).join(" ")}`
    : quote(text);
  return `it is not a ZIP, tar, tar.gz or tar.zst: it begins with ${beginning}`;
}

/** Returns the beginning of a text: UTF-8 without control characters other than white space. */
function beginningOfText(head: Uint8Array): string | undefined {
  // The last character may be cut.
  const text = [0, 1, 2, 3].map((cut) =>
    decodeUtf8(head.subarray(0, Math.min(TEXT_BYTES, head.length) - cut))
  )
    .find((decoded) => decoded !== undefined);
  const shown = [...text ?? ""].slice(0, SHOWN_CHARACTERS).join("");
  return shown === "" || /[^\P{Cc}\t\r\n\f]/u.test(shown) ? undefined : shown;
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, "0");
}

// Source: RFC 8878, sections 3.1.1 and 3.1.2.

export const ZSTD_MAGIC = 0xfd2fb528;

/** The first of the 16 magic numbers of skippable frames. */
const SKIPPED_MAGIC = 0x184d2a50;

/** Returns whether data begins with a zstd frame, or with a skippable frame, which pzstd writes. */
export function isZstd(head: Uint8Array): boolean {
  if (head.length < 4) return false;
  const magic = new DataView(head.buffer, head.byteOffset).getUint32(0, true);
  return magic === ZSTD_MAGIC || isSkippedFrame(magic);
}

/** Returns whether a magic number is that of a skippable frame. */
export function isSkippedFrame(magic: number): boolean {
  return magic >>> 4 === SKIPPED_MAGIC >>> 4;
}
