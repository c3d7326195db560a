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
export function encodeText(text: string): Generator<Uint8Array> {
  return encodeTexts([text], text.length);
}

/** As {@link encodeText}, for texts one after the other. @param charsMax the most characters of one */
export function* encodeTexts(texts: Iterable<string>, charsMax = PIECE_CHARS): Generator<Uint8Array> {
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(Math.min(charsMax, PIECE_CHARS) * UTF8_BYTES_MAX);
  for (const text of texts) {
    for (let start = 0; start < text.length;) {
      const end = endOfPiece(text, start + PIECE_CHARS);
      yield buffer.subarray(0, encoder.encodeInto(text.slice(start, end), buffer).written);
      start = end;
    }
  }
}

/** 64 KB of digests. */
const JOINED_TEXTS = 1024;

/** Yields texts with a separator between them, many in a piece: the text as a whole would be in memory beside them. */
export function* joinPieces(texts: readonly string[], separator: string): Generator<string> {
  for (let start = 0; start < texts.length; start += JOINED_TEXTS) {
    yield (start === 0 ? "" : separator) + texts.slice(start, start + JOINED_TEXTS).join(separator);
  }
}

/** The most bytes of one unit of a text. */
const UTF8_BYTES_MAX = 3;

/** Two units that are one character stay together. */
function endOfPiece(text: string, end: number): number {
  const last = text.charCodeAt(end - 1);
  return last >= 0xd800 && last <= 0xdbff && end < text.length ? end - 1 : Math.min(end, text.length);
}
