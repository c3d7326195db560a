import { UNSEEN_OR_BREAK, UNSEEN_OR_SPELLED } from "./control_characters.ts";

/** What stands in the place of a secret. */
export const REDACTED = "[redacted]";

/**
 * A shorter secret is no pattern: `a` or `key` would blank out every text, and whoever tries all of them needs no text
 * to find it.
 */
const SECRET_CHARS_MIN = 4;

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

/** Blanks out every secret that this process holds, and `more`; also one that control characters cut in pieces. */
export function hideSecrets(text: string, more: readonly string[] = []): string {
  knownForms ??= [...new Set([...known.values()].flat())];
  const hidden = more.length === 0 ? knownForms : [...knownForms, ...more.flatMap(formsOf)];
  if (hidden.length === 0) return text;
  const plain = hideIgnoring(text, hidden, undefined);
  return [UNSEEN_OR_BREAK, UNSEEN_OR_SPELLED].reduce(
    (result, ignored) => result.search(ignored) === -1 ? result : hideIgnoring(result, hidden, ignored),
    plain,
  );
}

const AUTHORIZATION = /^(?:bearer|basic|token) +(\S+)$/i;

/** As it is, without its scheme, line by line, and as addresses and JSON spell it. */
function formsOf(value: string): string[] {
  const whole = value.trim().toWellFormed();
  const token = AUTHORIZATION.exec(whole)?.[1];
  const lines = whole.split(/[\r\n]+/).map((line) => line.trim())
    .filter((line) => line.length >= SECRET_LINE_CHARS_MIN && !line.startsWith("-----"));
  const texts = [whole, ...(token === undefined ? [] : [token]), ...lines];
  const spelled = texts.flatMap((
    text,
  ) => [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]);
  return [...new Set(spelled)].filter(isPattern);
}

/** A short word without a digit or a sign would take its meaning from messages: `pull`, `models`. */
function isPattern(text: string): boolean {
  if (text.length >= SUBSTRING_CHARS_MIN) return true;
  return text.length >= SECRET_CHARS_MIN && !/^(?:[a-z]+|[A-Z]?[a-z]+|[A-Z]+)$/.test(text);
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function hideIgnoring(text: string, hidden: readonly string[], ignored: RegExp | undefined): string {
  const { kept, places } = ignored === undefined
    ? { kept: text, places: undefined }
    : leaveOut(text, ignored);
  const blanked = Array.from(kept.matchAll(/\[redacted\]/g), ({ index }) => ({
    start: index,
    end: index + REDACTED.length,
  }));
  const spans = hidden.flatMap((secret) => {
    const wanted = ignored === undefined ? secret : secret.replace(ignored, "");
    return isPattern(wanted) ? occurrences(kept, wanted, blanked) : [];
  });
  if (spans.length === 0) return text;
  const original = places === undefined ? spans : spans.map(({ start, end }) => ({
    start: places[start] ?? 0,
    end: (places[end - 1] ?? text.length) + 1,
  }));
  return blankOut(text, original);
}

/** The text without what a pattern matches, and where each of its characters stood. */
function leaveOut(text: string, ignored: RegExp): { kept: string; places: readonly number[] } {
  const places: number[] = [];
  let kept = "";
  let from = 0;
  const keep = (to: number) => {
    kept += text.slice(from, to);
    for (let index = from; index < to; index++) places.push(index);
  };
  for (const { 0: match, index } of text.matchAll(ignored)) {
    keep(index);
    from = index + match.length;
  }
  keep(text.length);
  return { kept, places };
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
  let result = "";
  let from = 0;
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    if (start >= from) result += text.slice(from, start) + REDACTED;
    from = Math.max(from, end);
  }
  return result + text.slice(from);
}
