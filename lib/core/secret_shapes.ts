import { REDACTED } from "./known_secrets.ts";

/** Token shapes as their issuers document them, long enough that model data does not match by chance. */
const SECRET_SHAPES: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[^]*/g],
  [
    "a GitHub token",
    /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{30,})/g,
  ],
  ["a Hugging Face token", /(?<![A-Za-z0-9])hf_[A-Za-z0-9]{34,}/g],
  ["a RunPod key", /(?<![A-Za-z0-9])rpa?_[A-Za-z0-9]{32,}/g],
  ["an AWS access key", /(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])/g],
  ["an AWS secret key", /aws_secret_access_key["'\s]*[=:]["'\s]*[A-Za-z0-9/+]{40,}/gi],
];

/**
 * The longest prefix that identifies a secret. Pieces of a stream overlap by it, so that a secret across two pieces is
 * found.
 */
export const SECRET_SHAPE_CHARS_MAX = 128;

/** Returns the kind of the first secret in a text; `undefined` if there is none. */
export function secretInText(text: string): string | undefined {
  return SECRET_SHAPES.find(([, pattern]) => text.search(pattern) !== -1)?.[0];
}

/** Messages are redacted more broadly than models are scanned: also truncated tokens, and those of other issuers. */
const HIDDEN_SHAPES: readonly RegExp[] = [
  /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:[^]*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|[^]*)/g,
  /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{10,}|github_pat_\w{10,}|hf_[A-Za-z0-9]{16,}|rpa?_[A-Za-z0-9]{16,})/g,
  /(?<![A-Za-z0-9])(?:glpat-[\w-]{10,}|xox[a-z]-[\w-]{10,}|npm_[A-Za-z0-9]{30,}|AIza[\w-]{30,}|dckr_pat_[\w-]{10,})/g,
  /(?<![A-Za-z0-9])sk[-_](?=[\w-]{0,200}\d)[\w-]{20,}/g,
  /(?<![A-Za-z0-9])whsec_[A-Za-z0-9+/=]{16,}/g,
  /(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])/g,
  /aws_secret_access_key["'\s]*[=:]["'\s]*[A-Za-z0-9/+]{40,}/gi,
  // A JSON Web Token: header, claims, signature.
  /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?/g,
];

/** Returns a text with everything redacted that has the shape of a token or a key. */
export function hideShapes(text: string): string {
  return HIDDEN_SHAPES.reduce((result, shape) => result.replace(shape, REDACTED), text);
}
