/** Files whose very name says that they hold credentials. Examples and templates are meant to be shared. */
const SECRET_NAME =
  /(?:^|\/)(\.env(\..+)?|\.aws\/credentials|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|_netrc|\.git-credentials|\.npmrc|\.pypirc|.+\.(p12|pfx|ppk))$/i;
const TEMPLATE_NAME = /(?:^|\/)\.env\.(example|sample|template|dist)$/i;

/** Token shapes as their issuers document them; long enough that model data does not match by chance. */
const SECRET_CONTENT: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["a private key", /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/],
  [
    "a GitHub token",
    /(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{30})/,
  ],
  ["a Hugging Face token", /(?<![A-Za-z0-9])hf_[A-Za-z0-9]{34}/],
  ["a RunPod key", /(?<![A-Za-z0-9])rpa?_[A-Za-z0-9]{32}/],
  ["an AWS access key", /(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])/],
  ["an AWS secret key", /aws_secret_access_key["'\s]*[=:]["'\s]*[A-Za-z0-9/+]{40}/i],
];

/** Longest match of {@link SECRET_CONTENT}, so that one that spans two pieces is still seen. */
const OVERLAP_CHARS = 128;

/** A file with a NUL byte this early is binary; of those only the beginning is scanned, where metadata stands. */
const BINARY_PROBE_BYTES = 8 * 1024;
const BINARY_SCAN_BYTES_MAX = 64 * 1024;

/** What kind of secret a file's path gives away, or `undefined`. */
export function secretInName(path: string): string | undefined {
  return SECRET_NAME.test(path) && !TEMPLATE_NAME.test(path) ? "a credentials file" : undefined;
}

/** What kind of secret a text holds, or `undefined`. */
export function secretInText(text: string): string | undefined {
  return SECRET_CONTENT.find(([, pattern]) => pattern.test(text))?.[0];
}

/** Looks for secrets in a file's content as its pieces go by. */
export class SecretScanner {
  readonly #decoder = new TextDecoder("latin1");
  #tail = "";
  #binary: boolean | undefined;
  #found: string | undefined;

  /** The kind of the first secret seen so far. */
  get found(): string | undefined {
    return this.#found;
  }

  scan(piece: Uint8Array): void {
    if (this.#found !== undefined || (this.#binary === true && this.#tail !== "")) return;
    this.#binary ??= piece.subarray(0, BINARY_PROBE_BYTES).includes(0);
    const text = this.#tail +
      this.#decoder.decode(this.#binary ? piece.subarray(0, BINARY_SCAN_BYTES_MAX) : piece);
    this.#found = secretInText(text);
    this.#tail = text.slice(-OVERLAP_CHARS);
  }
}
