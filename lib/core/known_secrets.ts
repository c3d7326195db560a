import { type Span, TEXT_VIEWS, viewText } from "./text_views.ts";

/** Replaces a secret in a text. */
export const REDACTED = "[redacted]";

/**
 * Shorter secrets are not redacted: `a` or `key` would redact most of a text, and an attacker can guess them anyway.
 */
const SECRET_CHARS_MIN = 4;

/** Six bytes of a secret. Fewer would match in any base64 text. */
const BASE64_CHARS_MIN = 8;

/** Shorter secrets are redacted only as whole words: `main` is part of `domain`. */
const SUBSTRING_CHARS_MIN = 8;

/**
 * A program may print one line of a multi-line secret, such as a private key. Shorter lines are not the secret part.
 */
const SECRET_LINE_CHARS_MIN = 32;

/**
 * A configuration names about twenty secrets. A daemon that signs in as a GitHub App gets a new token every hour, and
 * tokens of 20 days ago have expired.
 */
const KNOWN_MAX = 1_000;

/** Every secret of this process with all forms in which a text may repeat it, least recently used first. */
const known = new Map<string, readonly string[]>();
/** All forms, cached until another secret is added. */
let knownForms: readonly string[] | undefined;

/** Registers a secret. It is redacted from every text that is cleaned from now on. */
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
 * Redacts every secret of this process, and `more`. It also finds secrets that control characters interrupt, or that an
 * address, JSON or HTML escapes.
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

/**
 * Returns the forms of a secret: unchanged, without its scheme, line by line, and as JSON, forms and base64 encode it.
 */
function formsOf(value: string): string[] {
  const whole = value.trim().toWellFormed();
  const token = AUTHORIZATION.exec(whole)?.[1];
  const lines = whole.split(/[\r\n]+/).map((line) => line.trim())
    .filter((line) => line.length >= SECRET_LINE_CHARS_MIN && !line.startsWith("-----"));
  const texts = [whole, ...(token === undefined ? [] : [token]), ...lines];
  // Forms encode a space as `+`. Other escapes are decoded in the text.
  const spelled = texts.flatMap((text) => [text, inJson(text), text.replaceAll(" ", "+")]);
  return [...new Set([...spelled.filter(isPattern), ...texts.flatMap(inBase64)])];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/**
 * Returns the parts of its base64 that do not depend on the text around it, such as the user in a Basic header. There
 * are three, one for each offset, in both alphabets.
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

/** Redacting a short word such as `pull` would make messages unreadable, and a short number would redact dates. */
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
