import { failure } from "./hub_messages.ts";
import { find, history, type Repo } from "./hub_repo.ts";
import type { HubStorage } from "./hub_storage.ts";

/** Answers with the newest commits of a revision. */
export function listCommits(url: URL, repo: Repo, revision: string): Response {
  const listed = history(repo, revision).map(({ id, message }) => ({
    id,
    title: message,
    authors: [{ user: "ada" }],
  }));
  return Response.json(listed.slice(0, Number(url.searchParams.get("limit") ?? 50)));
}

/** Answers with a file of a commit, or the address of its content in the storage. */
export function resolveFile(storage: HubStorage, repo: Repo, revision: string, path: string): Response {
  const commit = find(repo, revision);
  if (commit === undefined) return failure(404, "RevisionNotFound");
  const entry = commit.tree.get(path);
  if (entry === undefined) return failure(404, "EntryNotFound", "Entry not found");
  const headers = new Headers({ "x-repo-commit": commit.id, "access-control-allow-origin": "*" });
  if (entry.content !== undefined) {
    headers.set("etag", `"${entry.blob}"`);
    headers.set("content-type", "text/plain; charset=utf-8");
    headers.set("content-length", String(entry.size));
    return new Response(entry.content, { headers });
  }
  headers.set("x-linked-etag", `"${entry.sha256}"`);
  headers.set("x-linked-size", String(entry.size));
  headers.set("location", storage.sign(entry.sha256 ?? ""));
  return new Response(null, { status: 302, headers });
}
