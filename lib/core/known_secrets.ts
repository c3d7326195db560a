import { type Span, TEXT_VIEWS, viewText } from "./text_views.ts";

/** What stands in the place of a secret. */
export const REDACTED = "[redacted]";

/**
 * A shorter secret is no pattern: `a` or `key` would blank out every text, and whoever tries all of them needs no text
 * to find it.
 */
const SECRET_CHARS_MIN = 4;

/** Six bytes of a secret; fewer are found in the base64 of anything. */
const BASE64_CHARS_MIN = 8;

/** Shorter secrets are hidden where they stand as a word alone: `main` is part of `domain`. */
const SUBSTRING_CHARS_MIN = 8;

/** Of a secret of several lines, as a private key, a program may print one; shorter lines are not the secret part. */
const SECRET_LINE_CHARS_MIN = 32;

/**
 * A configuration names some twenty secrets. A daemon that signs in as a GitHub App gets a new token every hour; those
 * of 20 days ago are worth nothing.
 */
const KNOWN_MAX = 1_000;

/** Every secret that this process holds, in every form in which a text may repeat it; the last used is the last. */
const known = new Map<string, readonly string[]>();
/** All of them, until another is known. */
let knownForms: readonly string[] | undefined;

/** Keeps a secret out of every text that is cleaned from now on. */
export function rememberSecret(value: string): void {
  known.delete(value);
  const forms = formsOf(value);
  if (forms.length === 0) return;
  known.set(value, forms);
  knownForms = undefined;
  const [oldest] = known.keys();
  if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest);
}

/**
 * Blanks out every secret that this process holds, and `more`; also one that control characters cut in pieces, and one
 * that an address, JSON or HTML escapes.
 */
export function hideSecrets(text: string, more: readonly string[] = []): string {
  knownForms ??= [...new Set([...known.values()].flat())];
  const hidden = more.length === 0 ? knownForms : [...knownForms, ...more.flatMap(formsOf)];
  if (hidden.length === 0) return text;
  const plain = blankOut(text, spansIn(text, hidden));
  return TEXT_VIEWS.reduce((result, view) => {
    const seen = viewText(result, view);
    if (seen === undefined) return result;
    const wanted = view.isForNeedles
      ? hidden.map((secret) => viewText(secret, view)?.text ?? secret)
      : hidden;
    return blankOut(result, spansIn(seen.text, wanted).map((span) => seen.placeOf(span)));
  }, plain);
}

const AUTHORIZATION = /^(?:bearer|basic|token) +(\S+)$/i;

/** As it is, without its scheme, line by line, and as JSON, forms and base64 spell it. */
function formsOf(value: string): string[] {
  const whole = value.trim().toWellFormed();
  const token = AUTHORIZATION.exec(whole)?.[1];
  const lines = whole.split(/[\r\n]+/).map((line) => line.trim())
    .filter((line) => line.length >= SECRET_LINE_CHARS_MIN && !line.startsWith("-----"));
  const texts = [whole, ...(token === undefined ? [] : [token]), ...lines];
  // A form has a space as `+`; other escapes are undone in the text.
  const spelled = texts.flatMap((text) => [text, inJson(text), text.replaceAll(" ", "+")]);
  return [...new Set([...spelled.filter(isPattern), ...texts.flatMap(inBase64)])];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/**
 * What of its base64 does not depend on what stands before and after it, such as the user in a Basic header: three
 * forms, by how many bytes come before, in both alphabets.
 */
function inBase64(text: string): string[] {
  const bytes = Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
  return [0, 1, 2].flatMap((before) => {
    const encoded = btoa("\0".repeat(before) + bytes).replace(/=+$/, "");
    const end = Math.floor((before + bytes.length) * 8 / 6);
    const own = encoded.slice(Math.ceil(before * 8 / 6), end);
    return own.length < BASE64_CHARS_MIN ? [] : [own, own.replaceAll("+", "-").replaceAll("/", "_")];
  });
}

/** A short word without a digit or a sign would take its meaning from messages, as `pull`, and a number from dates. */
function isPattern(text: string): boolean {
  if (text.length >= SUBSTRING_CHARS_MIN) return true;
  return text.length >= SECRET_CHARS_MIN && !/^(?:[a-z]+|[A-Z]?[a-z]+|[A-Z]+|[\d.:-]+)$/.test(text);
}

function spansIn(text: string, secrets: readonly string[]): Span[] {
  const blanked = Array.from(text.matchAll(/\[redacted\]/g), ({ index }) => ({
    start: index,
    end: index + REDACTED.length,
  }));
  return secrets.flatMap((secret) => isPattern(secret) ? occurrences(text, secret, blanked) : []);
}

function occurrences(text: string, secret: string, blanked: readonly Span[]): Span[] {
  const spans: Span[] = [];
  for (let start = text.indexOf(secret); start !== -1; start = text.indexOf(secret, start + 1)) {
    const end = start + secret.length;
    const isWord = !/[A-Za-z0-9]/.test(`${text[start - 1] ?? ""}${text[end] ?? ""}`);
    const isBlanked = blanked.some((other) => start >= other.start && end <= other.end);
    if (!isBlanked && (isWord || secret.length >= SUBSTRING_CHARS_MIN)) spans.push({ start, end });
  }
  return spans;
}

function blankOut(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  let result = "";
  let from = 0;
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    if (start >= from) result += text.slice(from, start) + REDACTED;
    from = Math.max(from, end);
  }
  return result + text.slice(from);
}
