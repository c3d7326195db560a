import { z } from "zod";
import { parseWebAddress } from "../../core/web_address.ts";

/** Where descriptions are kept. Unlike `describe`, `register` makes no copy of a schema, which every start would wait for. */
export const DOCS = z.globalRegistry;

/**
 * Returns a normalized folder inside a repository: `./models/` becomes `models`. An absolute path stays absolute.
 */
export function tidyFolder(path: string): string {
  if (path.startsWith("/")) return path;
  return path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

/** A folder inside a repository or an archive: relative, no climbing, and not the whole of it. */
export const RepoFolder = z.string().overwrite(tidyFolder).refine(
  (path) =>
    path.split("/").every((part) => !["", "..", ".git"].includes(part.toLowerCase())) && !path.includes("\\"),
  { error: "must be a folder inside the repository, such as models or prod/models" },
);

export const EnvName = z.string().regex(
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  "must be the name of an environment variable",
);

/** An http or https address. */
export const HttpAddress = z.string().refine((text) => parseWebAddress(text) !== undefined, {
  error: "must be an http address",
}).register(DOCS, { format: "uri" });

/** The address of a server; credentials in it would be shown with it. */
export const WebAddress = z.string().refine(isWithoutCredentials, {
  error: "must be an http address without a user or password in it",
}).register(DOCS, { format: "uri" });

function isWithoutCredentials(text: string): boolean {
  const url = parseWebAddress(text);
  return url?.username === "" && url.password === "";
}

/** The name of a branch in git. */
export const BranchName = z.string().refine(isBranchName, { error: "must be the name of a git branch" });

/** Git keeps a branch as a file, whose name has 255 characters at most with `.lock` behind it; servers allow no more. */
const BRANCH_CHARS_MAX = 244;

/** What `git check-ref-format --branch` allows. */
function isBranchName(name: string): boolean {
  return name.length <= BRANCH_CHARS_MAX && name !== "HEAD" && name !== "@" && !name.startsWith("-") &&
    !name.endsWith(".") &&
    !/[\p{Cc} ~^:?*[\\]|\.\.|@\{/u.test(name) &&
    name.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"));
}

/** What git clones from: an address of any kind that it knows, `host:path`, or a path. */
export const GitAddress = z.string().min(1)
  .refine(isGitAddress, { error: "must be an address that git can clone from, or a path" })
  .refine((text) => !hasQuery(text), {
    error: "must have no query, which would show in lists of processes; for a token there is token_env",
  });

function isGitAddress(text: string): boolean {
  // Git would take the first for an option, and its command line ends at a NUL.
  if (text.startsWith("-") || /\p{Cc}/u.test(text)) return false;
  // These name no way to get there, or one that git does not go: a command of the address's own.
  if (text.trim() !== text || text.startsWith(":") || /^(?:ext|fd)::/i.test(text)) return false;
  return !/^https?:/i.test(text) || parseWebAddress(text) !== undefined;
}

function hasQuery(text: string): boolean {
  return (parseWebAddress(text)?.search ?? "") !== "";
}
