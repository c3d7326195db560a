import * as z from "zod";
import { parseWebAddress } from "../../http/web_address.ts";

/** The registry of descriptions. `register` is faster than `describe`, which copies the schema at every start. */
export const DOCS = z.globalRegistry;

/**
 * Returns the normalized path of a folder in a repository: `./models/` becomes `models`. An absolute path stays absolute.
 */
export function tidyFolder(path: string): string {
  if (path.startsWith("/")) return path;
  return path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

/** A folder in a repository or an archive: relative, without `..`, and not the root. */
export const RepoFolder = z.string().overwrite(tidyFolder).refine(
  (path) =>
    path.split("/").every((part) => !["", "..", ".git"].includes(part.toLowerCase())) && !path.includes("\\"),
  { error: "must be a folder inside the repository, such as models or prod/models" },
);

export const EnvName = z.string().regex(
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  "must be the name of an environment variable",
);

/**
 * A path on this machine. A relative one starts at the project if a file sets it, and at the working directory if the
 * command line or a variable does.
 */
export const LocalPath = z.string().min(1).register(DOCS, { format: "path" });

/** An HTTP or HTTPS address. */
export const HttpAddress = z.string().refine((text) => parseWebAddress(text) !== undefined, {
  error: "must be an http address",
}).register(DOCS, { format: "uri" });

/** The address of a server without credentials, because the address is shown. */
export const WebAddress = z.string().refine(isWithoutCredentials, {
  error: "must be an http address without a user or password in it",
}).register(DOCS, { format: "uri" });

function isWithoutCredentials(text: string): boolean {
  const url = parseWebAddress(text);
  return url?.username === "" && url.password === "";
}

/** The name of a branch in git. */
export const BranchName = z.string().refine(isBranchName, { error: "must be the name of a git branch" });

/** Git stores a branch as a file, and its name with `.lock` appended may have 255 characters. Servers allow no more. */
const BRANCH_CHARS_MAX = 244;

/** Returns whether `git check-ref-format --branch` accepts the name. */
function isBranchName(name: string): boolean {
  return name.length <= BRANCH_CHARS_MAX && name !== "HEAD" && name !== "@" && !name.startsWith("-") &&
    !name.endsWith(".") &&
    !/[\p{Cc} ~^:?*[\\]|\.\.|@\{/u.test(name) &&
    name.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"));
}

/** The source of a clone: an address with a scheme that git knows, `host:path`, or a path. */
export const GitAddress = z.string().min(1)
  .refine(isGitAddress, { error: "must be an address that git can clone from, or a path" })
  .refine((text) => !hasQuery(text), {
    error: "must have no query, because process lists would show it; for a token, use token_env",
  }).register(DOCS, { format: "git-address" });

function isGitAddress(text: string): boolean {
  // Git reads a leading hyphen as an option, and a NUL ends its command line.
  if (text.startsWith("-") || /\p{Cc}/u.test(text)) return false;
  // `:` has no transport; `ext::` and `fd::` run a command or use a file descriptor that the address names.
  if (text.trim() !== text || text.startsWith(":") || /^(?:ext|fd)::/i.test(text)) return false;
  return !/^https?:/i.test(text) || parseWebAddress(text) !== undefined;
}

function hasQuery(text: string): boolean {
  return (parseWebAddress(text)?.search ?? "") !== "";
}
