import { REDACTED } from "./known_secrets.ts";

/**
 * Suffixes of names whose value is a secret. A tokenizer's `pad_token` matches, too; hiding it is better than a leak.
 */
const NAME =
  "token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key";
/** Skips values that are already redacted. */
const VALUE = String.raw`(?!["']?\[redacted\])`;

/** `HF_TOKEN=x`, in a shell or a dump of an environment. */
const VARIABLE = new RegExp(
  String.raw`(?<![\w-])([\w-]*(?:${NAME})=)${VALUE}("[^"]*"|'[^']*'|[^\s"'&;,)\]}]{4,})`,
  "gi",
);
/** `"password": "x"`, in JSON and Python. */
const FIELD = new RegExp(
  String.raw`(["'][\w-]*(?:${NAME})["']\s*:\s*)${VALUE}("(?:[^"\\]|\\[^])*"|'(?:[^'\\]|\\[^])*')`,
  "gi",
);
/** `X-Api-Key: x`, `Private-Token: x`. */
const HEADER = new RegExp(
  String.raw`(?<![\w-])((?:x-[\w-]*(?:key|token|secret)|private-token|api-key):\s*)${VALUE}[^\s"',;]+`,
  "gi",
);
/** `Authorization: Bearer x`, with or without its scheme. */
const AUTHORIZATION = new RegExp(
  String
    .raw`\b(authorization["']?\s*[:=]\s*["']?)${VALUE}(?:(?:basic|bearer|token|digest|negotiate)\s+)?[^\s"',;]+`,
  "gi",
);
const COOKIE = /\b((?:set-)?cookie:\s*)(?:[^\s=;]+=[^\s;]*(?:;\s*|$|(?=\s)))+/gi;
/** A scheme and a token. The token needs a digit, so that "bearer authentication" does not match. */
const BEARER = /\b(bearer\s+)(?=[\w.~+/=-]*\d)[\w.~+/=-]{8,}/gi;
const BASIC = /\b(basic\s+)([A-Za-z0-9+/_-]{4,}={0,2})/gi;

/** Redacts values after the name of a secret, in variables, JSON fields and HTTP headers. */
export function hideAssignments(text: string): string {
  return text.replace(AUTHORIZATION, `$1${REDACTED}`).replace(COOKIE, `$1${REDACTED}`)
    .replace(HEADER, `$1${REDACTED}`).replace(VARIABLE, `$1${REDACTED}`).replace(FIELD, `$1${REDACTED}`)
    .replace(BEARER, `$1${REDACTED}`)
    .replace(
      BASIC,
      (whole, scheme: string, value: string) => isUserAndPassword(value) ? scheme + REDACTED : whole,
    );
}

function isUserAndPassword(base64: string): boolean {
  try {
    return atob(base64.replaceAll("-", "+").replaceAll("_", "/")).includes(":");
  } catch {
    return false;
  }
}
