import { z } from "zod";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import type { Located } from "../http/download_types.ts";
import { RefusedError, UnreachableError } from "../core/errors.ts";
import type { Sha256 } from "../core/hash.ts";
import { bearer, exchange, readBody, readText, requestJson } from "../http/request.ts";
import type { HttpRequest } from "../http/request_types.ts";
import { statusError, wasTurnedAway } from "../http/status_error.ts";
import { parseJson } from "../core/json.ts";
import { quote } from "../core/quote.ts";
import { REQUEST_RETRIES, type RetryPolicy, withRetry } from "../core/retry.ts";
import { RELEASE_FILES_MAX } from "../release/manifest.ts";
import { withHubFailures } from "./hub_failures.ts";
import type { HubSettings } from "./hub_settings.ts";
import { nextPage } from "./next_page.ts";

/** A commit of the repository: git's name for it. */
export type CommitId = string;
const CommitId = z.string().regex(/^[0-9a-f]{40,64}$/);

/** What a branch led to, and the hub's name for that answer. */
export interface KnownCommit {
  readonly commit: CommitId;
  readonly etag: string | undefined;
}

/** A file of a commit, as the hub lists it. */
export interface HubFile {
  /** In the repository. */
  readonly path: string;
  readonly size: number;
  /** Git's name for what git holds: the content, or the pointer to it. */
  readonly blob: string;
  /** Names the content of a file that is kept in LFS or Xet. */
  readonly sha256: Sha256 | undefined;
}

/** How patient requests to the hub are. */
export interface HubPatience {
  /** For one question. */
  readonly requestMs: number;
  readonly retries: RetryPolicy;
}

/** Half a minute is more than the hub takes for its longest page. */
export const PATIENT: HubPatience = { requestMs: 30_000, retries: REQUEST_RETRIES };

/** For who has a release to go on with: a start must not wait long for a hub that is away. */
export const HASTY: HubPatience = {
  requestMs: 10_000,
  retries: { attemptsMax: 2, firstDelayMs: 500, delayMsMax: 500, retryAfterMsMax: 2_000 },
};

/** Files and folders of a repository; more than a release may have is no model repository. */
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

/** A commit in the repository's history, with what it says of itself in clean lines. */
export interface HubCommit {
  readonly id: CommitId;
  readonly title: string;
  readonly author: string;
}

/** So much of a title or a name is shown. */
const WORDS_MAX = 80;

const MadeCommit = z.object({ commitOid: CommitId });

/**
 * A model repository on a hub. Endpoints and fields are those of the hub's OpenAPI description
 * (`/.well-known/openapi.json`). The token goes to the hub's own origin alone. Needs net permission.
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

  /** The context whose requests to this hub fail with errors that say what to do. */
  get context(): Context {
    return this.#context;
  }

  /** `huggingface.co`, for messages. */
  get host(): string {
    return new URL(this.settings.endpoint).host;
  }

  /** Below `/api/models/<owner>/<name>`. */
  apiUrl(path: string): string {
    return `${this.settings.endpoint}/api/models/${this.settings.repoId}/${path}`;
  }

  /**
   * The commit that the revision leads to now: one request, conditional where the last answer had an ETag.
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

  /** Every file of a commit. @throws {RefusedError} code `REGISTRY_UNFIT` for what is neither a file nor a folder */
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

  /** A small file's bytes, as many as are listed. */
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
          `Cannot accept ${request.what}: it is ${filled} bytes, the hub lists ${file.size}`,
          { code: "SIZE_MISMATCH", hint: "run again later; the active release is untouched" },
        );
      })
    );
  }

  /** Creates a repository or a branch on the hub; one that exists already is as good. */
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

  /** The newest commits that a revision leads to, newest first. */
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
   * Makes a commit of small files and of large ones that the hub's storage holds already, in the hub's own protocol.
   * Tried again only where the hub turned it away: without an answer, nothing says whether it was made.
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
    return (await withRetry(this.#context, this.#patience.retries, send, wasTurnedAway)).data.commitOid;
  }

  /** Where a file's bytes are: the hub itself, or wherever it redirects to for them. */
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
        hint: "mend the repository and pull again; the active release is untouched",
      },
    );
  }

  #notAHub(what: string): UnreachableError {
    return new UnreachableError(`Cannot read ${what}: ${this.host} did not answer as a hub does`, {
      code: "ANSWER_INVALID",
      hint: "check HF_ENDPOINT: is this the server that was meant?",
    });
  }
}
