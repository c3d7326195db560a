/** Twice the capacity of a pipe on Linux. */
const PIECE_CHARS = 128 * 1024;

/**
 * Yields texts, one after the other, as UTF-8 in pieces of about 128 KiB: the input of a program about many files would
 * otherwise be in memory twice.
 */
export async function* encodePieces(texts: Iterable<string>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < PIECE_CHARS) continue;
    yield encoder.encode(piece);
    piece = "";
  }
  if (piece !== "") yield encoder.encode(piece);
}

/** Yields each text with a line break at its end. */
export function* lines(texts: Iterable<string>): Generator<string> {
  for (const text of texts) yield `${text}\n`;
}

/**
 * Yields a long text as UTF-8 in pieces, each valid until the next one is requested: its bytes as a whole would be in memory
 * beside the text.
 */
export function* encodeText(text: string): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(Math.min(text.length, PIECE_CHARS) * UTF8_BYTES_MAX);
  for (let start = 0; start < text.length;) {
    const end = endOfPiece(text, start + PIECE_CHARS);
    yield buffer.subarray(0, encoder.encodeInto(text.slice(start, end), buffer).written);
    start = end;
  }
}

/** The most bytes of one unit of a text. */
const UTF8_BYTES_MAX = 3;

/** Two units that are one character stay together. */
function endOfPiece(text: string, end: number): number {
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff && end < text.length ? end - 1 : Math.min(end, text.length);
}
