/** Token shapes as their issuers document them; long enough that model data does not match by chance. */
export const SECRET_SHAPES: readonly (readonly [kind: string, pattern: RegExp])[] = [
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

/** The longest beginning by which a secret is known, so that one that spans two pieces is still seen. */
export const SECRET_SHAPE_CHARS_MAX = 128;

/** What kind of secret a text holds, or `undefined`. */
export function secretInText(text: string): string | undefined {
  return SECRET_SHAPES.find(([, pattern]) => text.search(pattern) !== -1)?.[0];
}
