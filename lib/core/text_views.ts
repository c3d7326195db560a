import { UNSEEN_OR_BREAK, UNSEEN_OR_SPELLED } from "./control_characters.ts";

/** A part of a text, in UTF-16 units, end exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A decoding of a text: the matched pieces stand for other text, or for none. */
export interface TextView {
  readonly pieces: RegExp;
  readonly meaning: (piece: string) => string;
  /** Whether the searched text has to be decoded in the same way. */
  readonly isForNeedles: boolean;
}

/** A decoded text. */
export interface ViewedText {
  readonly text: string;
  /** Returns the original position of a part. */
  readonly placeOf: (span: Span) => Span;
}

const nothing = () => "";

/** The encodings in which a text may repeat a secret. */
export const TEXT_VIEWS: readonly TextView[] = [
  { pieces: UNSEEN_OR_BREAK, meaning: nothing, isForNeedles: true },
  { pieces: UNSEEN_OR_SPELLED, meaning: nothing, isForNeedles: true },
  // The escaped characters of an address differ between programs and between parts of the address.
  { pieces: /(?:%[0-9a-f]{2})+/gi, meaning: unescapeBytes, isForNeedles: false },
  { pieces: /\\(?:u[0-9a-f]{4}|x[0-9a-f]{2}|[^])/gi, meaning: unescapeCharacter, isForNeedles: false },
  {
    pieces: /&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});/gi,
    meaning: unescapeEntity,
    isForNeedles: false,
  },
];

/** Returns a text decoded by a view; `undefined` if the decoding changes nothing. */
export function viewText(text: string, { pieces, meaning }: TextView): ViewedText | undefined {
  if (text.search(pieces) === -1) return undefined;
  const starts: number[] = [];
  const ends: number[] = [];
  let read = "";
  let from = 0;
  const keep = (to: number) => {
    for (let index = from; index < to; index++) {
      starts.push(index);
      ends.push(index + 1);
    }
    read += text.slice(from, to);
  };
  for (const { 0: piece, index } of text.matchAll(pieces)) {
    keep(index);
    from = index + piece.length;
    const meant = meaning(piece);
    read += meant;
    for (let count = 0; count < meant.length; count++) {
      starts.push(index);
      ends.push(from);
    }
  }
  keep(text.length);
  return {
    text: read,
    placeOf: ({ start, end }) => ({ start: starts[start] ?? 0, end: ends[end - 1] ?? text.length }),
  };
}

function unescapeBytes(piece: string): string {
  return new TextDecoder().decode(Uint8Array.from(piece.slice(1).split("%"), (hex) => parseInt(hex, 16)));
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

function unescapeEntity(piece: string): string {
  const name = piece.slice(1, -1).toLowerCase();
  if (!name.startsWith("#")) return ENTITIES[name] ?? piece;
  const code = name.startsWith("#x") ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
  return String.fromCodePoint(Math.min(code, 0x10ffff));
}

function unescapeCharacter(piece: string): string {
  return piece.length > 2 ? String.fromCharCode(parseInt(piece.slice(2), 16)) : piece.slice(1);
}
