import * as z from "zod";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import type { Located } from "../http/download_types.ts";
import { RefusedError, UnreachableError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import type { Sha256 } from "../core/hash.ts";
import { bearer, exchange, readBody, readText, requestJson } from "../http/request.ts";
import type { HttpRequest } from "../http/request_types.ts";
import { statusError, wasRateLimited } from "../http/status_error.ts";
import { parseJson } from "../core/json.ts";
import { quote } from "../core/quote.ts";
import { REQUEST_RETRIES, type RetryPolicy, withRetry } from "../core/retry.ts";
import { RELEASE_FILES_MAX } from "../release/manifest.ts";
import { withHubFailures } from "./hub_failures.ts";
import type { HubSettings } from "./hub_settings.ts";
import { nextPage } from "./next_page.ts";

/** The id of a commit of the repository, as git names it. */
export type CommitId = string;
export const CommitId = z.string().regex(/^[0-9a-f]{40,64}$/);

/** The commit that a revision pointed to, with the ETag of the hub's answer. */
export interface KnownCommit {
  readonly commit: CommitId;
  readonly etag: string | undefined;
}

/** A file of a commit, as the hub lists it. */
export interface HubFile {
  /** The path in the repository. */
  readonly path: string;
  readonly size: number;
  /** The blob id of what git holds: the content, or the LFS pointer to it. */
  readonly blob: string;
  /** The SHA-256 of the content, for files in LFS or Xet. */
  readonly sha256: Sha256 | undefined;
}

/** The time limits and retries of requests to the hub. */
export interface HubPatience {
  /** The time limit for one answer. */
  readonly requestMs: number;
  readonly retries: RetryPolicy;
}

/** The hub sends its longest page in less than half a minute. */
export const PATIENT: HubPatience = { requestMs: 30_000, retries: REQUEST_RETRIES };

/** For commands that can continue with an existing release: they must not wait long for an unreachable hub. */
export const HASTY: HubPatience = {
  requestMs: 10_000,
  retries: { attemptsMax: 2, firstDelayMs: 500, delayMsMax: 500, retryAfterMsMax: 2_000 },
};

/** The most files and folders of a repository. A release may have fewer files. */
const ENTRIES_MAX = 2 * RELEASE_FILES_MAX;

/** The hub lists 1,000 entries a page; a mirror may list fewer. */
const PAGES_MAX = 10_000;

const Revision = z.object({ sha: CommitId });

const Entry = z.object({
  type: z.string(),
  path: z.string(),
  size: z.number().int().min(0).default(0),
  oid: z.string().regex(/^[0-9a-f]{40,64}$/).optional(),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().min(0) }).optional(),
});
const Page = z.array(Entry);

const Commits = z.array(z.object({
  id: CommitId,
  title: z.string().default(""),
  authors: z.array(z.object({ user: z.string().optional() })).default([]),
}));

/** A commit in the repository's history. Title and names are one clean line each. */
export interface HubCommit {
  readonly id: CommitId;
  readonly title: string;
  readonly author: string;
}

/** How much of a title or a name is shown. */
const WORDS_MAX = 80;

const MadeCommit = z.object({ commitOid: CommitId });

/**
 * A model repository on a hub. Endpoints and fields follow the hub's OpenAPI description
 * (`/.well-known/openapi.json`). The token is sent to the hub's own origin only. Needs net permission.
 */
export class Hub {
  readonly settings: HubSettings;
  readonly #context: Context;
  readonly #patience: HubPatience;

  constructor(context: Context, settings: HubSettings, patience: HubPatience = PATIENT) {
    this.settings = settings;
    this.#context = { ...context, http: withHubFailures(context.http, settings) };
    this.#patience = patience;
  }

  /** The context for requests to this hub: refusals become errors with hints. */
  get context(): Context {
    return this.#context;
  }

  /** `huggingface.co`, for messages. */
  get host(): string {
    return new URL(this.settings.endpoint).host;
  }

  /** Logs that the hub is about to be requested, or that `HF_HUB_OFFLINE` forbids it. */
  announce(): void {
    const { repoId, revision, isOffline } = this.settings;
    this.#context.log.info(
      isOffline
        ? `working offline, because HF_HUB_OFFLINE is set: ${this.host} is not asked for ${repoId}`
        : `asking ${this.host} for ${revision} of ${repoId}`,
    );
  }

  /** Returns an address below `/api/models/<owner>/<name>`. */
  apiUrl(path: string): string {
    return `${this.settings.endpoint}/api/models/${this.settings.repoId}/${path}`;
  }

  /**
   * Returns the commit that the revision points to, with one request. The request is conditional if the last answer had
   * an ETag.
   *
   * @throws {UnreachableError} codes `REPO_NOT_FOUND`, `REVISION_NOT_FOUND`; {@link AuthenticationError}
   */
  async findCommit(known?: KnownCommit): Promise<KnownCommit> {
    const { repoId, revision } = this.settings;
    const condition = known?.etag === undefined ? {} : { "if-none-match": known.etag };
    const request = this.#request(
      this.apiUrl(`revision/${encodeURIComponent(revision)}?expand=sha`),
      `${revision} of ${repoId}`,
      condition,
    );
    return await this.#retrying(() =>
      exchange(this.#context, request, async (response) => {
        if (response.status === 304 && known !== undefined) {
          await response.body?.cancel();
          return known;
        }
        if (!response.ok) throw await statusError(this.#context, request, response);
        const answer = Revision.safeParse(parseJson(await readText(response, request)));
        if (!answer.success) throw this.#notAHub(request.what);
        return { commit: answer.data.sha, etag: response.headers.get("etag") ?? undefined };
      })
    );
  }

  /**
   * Returns every file of a commit.
   *
   * @throws {RefusedError} code `REGISTRY_UNFIT` if an entry is neither a file nor a folder
   */
  async listFiles(commit: CommitId): Promise<HubFile[]> {
    const files: HubFile[] = [];
    const seen = new Set<string>();
    let url: string | undefined = this.apiUrl(`tree/${commit}?recursive=true&expand=false`);
    let entries = 0;
    for (let pages = 0; url !== undefined; pages++) {
      const request = this.#request(url, `the file list of ${this.settings.repoId}`);
      const { data, headers } = await this.#retrying(() => requestJson(this.#context, request, Page));
      entries += data.length;
      if (entries > ENTRIES_MAX || pages >= PAGES_MAX) {
        throw this.#unfit(commit, `it has more than ${ENTRIES_MAX} files and folders`);
      }
      for (const entry of data) if (entry.type !== "directory") files.push(this.#fileOf(commit, entry));
      seen.add(url);
      url = nextPage(headers.get("link"), url, this.settings.endpoint);
      if (url !== undefined && seen.has(url)) throw this.#endless();
    }
    return files;
  }

  #endless(): UnreachableError {
    const { endpoint, repoId } = this.settings;
    return new UnreachableError(
      `Cannot read the file list of ${repoId}: ${
        new URL(endpoint).host
      } links from a page back to an earlier one`,
      { code: "ANSWER_INVALID", hint: "check HF_ENDPOINT and the proxies in front of it" },
    );
  }

  /** Returns the bytes of a small file. Their number has to be the listed size. */
  async readFile(commit: CommitId, file: HubFile): Promise<Uint8Array<ArrayBuffer>> {
    const request = this.#request(
      this.#fileUrl(commit, file.path),
      `${file.path} of ${this.settings.repoId}`,
      {
        "accept-encoding": "identity",
      },
    );
    return await this.#retrying(() =>
      exchange(this.#context, request, async (response) => {
        if (!response.ok) throw await statusError(this.#context, request, response);
        const bytes = new Uint8Array(file.size);
        let filled = 0;
        for await (const piece of readBody(response, request, file.size)) {
          bytes.set(piece, filled);
          filled += piece.length;
        }
        if (filled === file.size) return bytes;
        throw new RefusedError(
          `Cannot accept ${request.what}: it is ${plural(filled, "byte")}, the hub lists ${file.size}`,
          { code: "SIZE_MISMATCH", hint: "run again later; the active release is untouched" },
        );
      })
    );
  }

  /** Creates a repository or a branch on the hub, unless it exists. */
  async create(url: string, what: string, body: Readonly<Record<string, unknown>>): Promise<void> {
    const request: HttpRequest & { readonly timeoutMs: number } = {
      ...this.#request(url, what, { "content-type": "application/json" }),
      verb: "create",
      method: "POST",
      body: JSON.stringify(body),
    };
    await this.#retrying(() =>
      exchange(this.#context, request, async (response) => {
        if (!response.ok && response.status !== 409) {
          throw await statusError(this.#context, request, response);
        }
        await response.body?.cancel();
      })
    );
  }

  /** Returns the newest commits of a revision, newest first. */
  async listCommits(countMax: number, revision: string = this.settings.revision): Promise<HubCommit[]> {
    const url = this.apiUrl(`commits/${encodeURIComponent(revision)}?limit=${countMax}`);
    const request = this.#request(url, `the commits of ${this.settings.repoId}`);
    const { data } = await this.#retrying(() => requestJson(this.#context, request, Commits));
    return data.slice(0, countMax).map(({ id, title, authors }) => ({
      id,
      title: cleanLine(title, { charsMax: WORDS_MAX }),
      author: cleanLine(authors[0]?.user ?? "", { charsMax: WORDS_MAX }) || "unknown",
    }));
  }

  /**
   * Creates a commit of small files, and of large files that the hub's storage holds already, by the hub's protocol. The
   * request is repeated only if the hub turned it away: if no answer came, the commit may have been created.
   */
  async commit(
    header: { readonly summary: string; readonly parentCommit: CommitId },
    operations: readonly { readonly key: string; readonly value: unknown }[],
  ): Promise<CommitId> {
    const { repoId, revision } = this.settings;
    const lines = [{ key: "header", value: header }, ...operations].map((line) => JSON.stringify(line));
    const request: HttpRequest & { readonly timeoutMs: number } = {
      ...this.#request(
        this.apiUrl(`commit/${encodeURIComponent(revision)}`),
        `a commit in ${repoId}`,
        { "content-type": "application/x-ndjson" },
      ),
      verb: "create",
      method: "POST",
      body: lines.join("\n"),
    };
    const send = () => requestJson(this.#context, request, MadeCommit);
    return (await withRetry(this.#context, this.#patience.retries, send, wasRateLimited)).data.commitOid;
  }

  /** Returns the address of a file's bytes. The hub may redirect to its storage. */
  locate(commit: CommitId, path: string): Located {
    return { url: this.#fileUrl(commit, path), credentials: this.#credentials(), isSigned: false };
  }

  #fileUrl(commit: CommitId, path: string): string {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    return `${this.settings.endpoint}/${this.settings.repoId}/resolve/${commit}/${encoded}`;
  }

  #request(url: string, what: string, headers: Readonly<Record<string, string>> = {}) {
    const request: HttpRequest & { readonly timeoutMs: number } = {
      url,
      what,
      headers,
      credentials: this.#credentials(),
      timeoutMs: this.#patience.requestMs,
    };
    return request;
  }

  #credentials() {
    const { endpoint, token } = this.settings;
    return token === undefined ? undefined : bearer(endpoint, token);
  }

  async #retrying<Result>(ask: () => Promise<Result>): Promise<Result> {
    return await withRetry(this.#context, this.#patience.retries, ask);
  }

  #fileOf(commit: CommitId, entry: z.infer<typeof Entry>): HubFile {
    const { type, path, oid, lfs } = entry;
    if (type !== "file" || oid === undefined) {
      throw this.#unfit(commit, `${quote(path)} is neither a file nor a folder`);
    }
    return { path, size: lfs?.size ?? entry.size, blob: oid, sha256: lfs?.oid };
  }

  #unfit(commit: CommitId, problem: string): RefusedError {
    return new RefusedError(
      `Cannot use commit ${commit.slice(0, 12)} of ${this.settings.repoId}: ${problem}`,
      {
        code: "REGISTRY_UNFIT",
        hint: "fix the repository and pull again; the active release is untouched",
      },
    );
  }

  #notAHub(what: string): UnreachableError {
    return new UnreachableError(`Cannot read ${what}: ${this.host} did not answer as a hub does`, {
      code: "ANSWER_INVALID",
      hint: "check that HF_ENDPOINT is the address of your hub",
    });
  }
}
