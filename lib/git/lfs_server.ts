import * as z from "zod";
import type { Context } from "../core/context.ts";
import { AuthenticationError, FailedError, UnreachableError } from "../core/errors.ts";
import { isSecretName } from "../core/redact_arguments.ts";
import { redactUrls, RequestSecret, Secret } from "../core/secret.ts";
import type { Located } from "../http/download_types.ts";
import { requestJson } from "../http/request.ts";
import type { Credentials } from "../http/request_types.ts";
import { parseWebAddress } from "../http/web_address.ts";
import type { LfsPointer } from "../release/lfs_pointer.ts";
import type { Registry } from "./registry.ts";
import { type Login, splitLogin } from "./remote_url.ts";

// Git LFS: docs/api/batch.md, basic-transfers.md and authentication.md.

const MEDIA_TYPE = "application/vnd.git-lfs+json";

/** For one answer of the batch API, which signs an address. git-lfs allows 30 seconds without data. */
const ANSWER_TIMEOUT_MS = 30_000;

const Action = z.object({
  href: z.string(),
  header: z.record(z.string(), z.string()).nullish(),
});

const BatchAnswer = z.object({
  transfer: z.string().nullish(),
  objects: z.array(z.object({
    oid: z.string(),
    size: z.number(),
    authenticated: z.boolean().nullish(),
    actions: z.object({ download: Action.nullish() }).nullish(),
    error: z.object({ code: z.number(), message: z.string().default("") }).nullish(),
  })),
});

/**
 * A Git LFS server that is reached by HTTP, as git-lfs would reach it. It returns addresses of objects, so that parts of
 * an object can be downloaded: git-lfs downloads whole objects only.
 */
export class LfsServer {
  readonly #context: Context;
  readonly #registry: Registry;
  readonly #url: string;
  /** Headers that git is configured to send to this server. */
  readonly #headers: Readonly<Record<string, Secret>>;
  #login: Secret | undefined;

  private constructor(context: Context, registry: Registry, endpoint: Endpoint) {
    this.#context = context;
    this.#registry = registry;
    this.#url = endpoint.url;
    this.#headers = endpoint.headers;
    this.#login = endpoint.login;
  }

  /**
   * Opens the server of a registry. No request is sent yet. Needs git-lfs, which knows where its server is.
   *
   * @throws {FailedError} code `LFS_SERVER_UNUSUAL`: only git-lfs can reach it, for example by SSH or by a program
   */
  static async open(context: Context, registry: Registry): Promise<LfsServer> {
    return new LfsServer(context, registry, await readEndpoint(registry));
  }

  /**
   * Returns the address of an object, which may be valid for some minutes only.
   *
   * @throws {UnreachableError} code `LFS_ABSENT`: the server does not have it; {@link AuthenticationError}; the errors of
   * {@link requestJson}
   */
  async locate(pointer: LfsPointer): Promise<Located> {
    try {
      return await this.#ask(pointer);
    } catch (error) {
      // As git-lfs: credentials are sent to servers that require them.
      const isLoginAsked = error instanceof AuthenticationError && error.code === "HTTP_401";
      if (!isLoginAsked || this.#login !== undefined) throw error;
    }
    this.#login = basicLogin(await findLogin(this.#registry, this.#url));
    return await this.#ask(pointer);
  }

  async #ask({ sha256, bytes }: LfsPointer): Promise<Located> {
    const request = {
      url: `${this.#url}/objects/batch`,
      method: "POST",
      headers: { "accept": MEDIA_TYPE, "content-type": MEDIA_TYPE },
      credentials: this.#credentials,
      body: JSON.stringify({
        operation: "download",
        transfers: ["basic"],
        ref: { name: `refs/heads/${this.#registry.settings.branch}` },
        objects: [{ oid: sha256, size: bytes }],
        hash_algo: "sha256",
      }),
      what: "the address of an object from the Git LFS server",
      timeoutMs: ANSWER_TIMEOUT_MS,
    } as const;
    const { data } = await requestJson(this.#context, request, BatchAnswer);
    const object = data.objects.find(({ oid }) => oid === sha256);
    const { error, actions, authenticated } = object ?? {};
    if (error) throw absent(`the Git LFS server answered ${error.code} for ${sha256}: ${error.message}`);
    if (object?.size !== bytes || !actions?.download) {
      throw absent(`the Git LFS server has no object ${sha256}`);
    }
    if ((data.transfer ?? "basic") !== "basic") throw unusual(`its server transfers by ${data.transfer}`);
    return this.#located(actions.download, authenticated === true);
  }

  get #credentials(): Credentials {
    return { origin: new URL(this.#url).origin, headers: loggedIn(this.#headers, this.#login) };
  }

  /** @param isSigned whether the address needs no credentials of ours */
  #located({ href, header }: z.infer<typeof Action>, isSigned: boolean): Located {
    const url = parseWebAddress(href);
    if (url === undefined) throw unusual("its server stores objects at an address that is not http");
    const server = new URL(this.#url);
    if (server.protocol === "https:" && url.protocol !== "https:") throw unusual("its storage has no TLS");
    const headers = Object.fromEntries(
      Object.entries(header ?? {})
        .filter(([name]) => !OWN_HEADERS.includes(name.toLowerCase()))
        .map(([name, value]) => [name.toLowerCase(), headerValue(name, value)] as const),
    );
    const isOurs = url.origin === server.origin && !isSigned && headers["authorization"] === undefined;
    const sent = isOurs ? { ...loggedIn(this.#headers, this.#login), ...headers } : headers;
    return { url: url.href, credentials: { origin: url.origin, headers: sent }, isSigned: true };
  }
}

/** Headers that a download sets itself. A server must not choose which part of a file is read. */
const OWN_HEADERS = ["range", "if-range", "accept-encoding", "host", "content-length", "transfer-encoding"];

/** A value such as `application/octet-stream` must not be redacted everywhere. */
function headerValue(name: string, value: string): Secret {
  return isSecretName(name) ? new Secret(value) : new RequestSecret(value);
}

function loggedIn(headers: Readonly<Record<string, Secret>>, login: Secret | undefined) {
  return login === undefined ? headers : { ...headers, authorization: login };
}

function basicLogin({ user, password }: Login): Secret {
  const text = `${user}:${password?.reveal() ?? ""}`;
  return new Secret(`Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}`);
}

interface Endpoint {
  /** Without a login and without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, Secret>>;
  /** The login in git-lfs's configured address. */
  readonly login: Secret | undefined;
}

/** Returns the server that git-lfs uses for downloads: it reads `lfs.url`, `.lfsconfig` and the remote's address. */
async function readEndpoint(registry: Registry): Promise<Endpoint> {
  const { remote } = registry.settings;
  const git = registry.git.with({ config: [`remote.lfsdefault=${remote}`] });
  const lines = (await git.text(["lfs", "env"], { action: "read the settings of git-lfs" })).split("\n");
  const named = lines.findIndex((line) => line.startsWith(`Endpoint (${remote})=`));
  const at = named === -1 ? lines.findIndex((line) => line.startsWith("Endpoint=")) : named;
  const [, address = "", access = ""] = /^Endpoint[^=]*=(.*) \(auth=([a-z]*)\)$/.exec(lines[at] ?? "") ?? [];
  if (/^ +SSH=/.test(lines[at + 1] ?? "")) throw unusual("its server is reached by SSH");
  if (!["", "none", "basic"].includes(access)) throw unusual(`its server requires a login by ${access}`);
  const transfers = lines.find((line) => line.startsWith("DownloadTransfers="))?.split("=")[1]?.split(",") ??
    [];
  const foreign = transfers.find((name) => !USUAL_TRANSFERS.includes(name));
  if (foreign !== undefined) throw unusual(`the transfer program ${foreign} is configured`);
  const { url, login } = splitLogin(address.replace(/\/+$/, ""));
  if (parseWebAddress(url) === undefined) throw unusual("its server is not reached by HTTP");
  return {
    url,
    headers: await readHeaders(registry, url),
    login: login?.password === undefined ? undefined : basicLogin(login),
  };
}

/** The transfers of git-lfs itself. */
const USUAL_TRANSFERS = ["basic", "lfs-standalone-file", "ssh", "tus"];

/** Settings of git that change how a server is reached, which this program does not know. */
const UNKNOWN_SETTINGS = /^http\.(?:ssl(?!try$)|proxy|cookiefile|curlopt|pinned)/i;

/** Returns the headers that git is configured to send to an address: `actions/checkout` puts its token there. */
async function readHeaders(registry: Registry, url: string): Promise<Record<string, Secret>> {
  const result = await registry.git.attempt(["config", "-z", "--get-urlmatch", "http", url], {
    action: "read git's settings for the Git LFS server",
  });
  const headers: Record<string, Secret> = {};
  for (const entry of new TextDecoder().decode(result.stdout).split("\0")) {
    const [key = "", value = ""] = entry.split(/\n(.*)/s);
    if (UNKNOWN_SETTINGS.test(key)) throw unusual(`git's setting ${key} applies to its server`);
    const [, name, content] = /^([^:]+):(.*)$/s.exec(key === "http.extraheader" ? value : "") ?? [];
    if (name !== undefined) {
      headers[name.trim().toLowerCase()] = headerValue(name.trim(), (content ?? "").trim());
    }
  }
  return headers;
}

/** Asks git's credential helpers, for the registry's address if it has the server's origin, as git-lfs does. */
async function findLogin(registry: Registry, url: string): Promise<Login> {
  const { origin } = new URL(url);
  const { protocol, host, pathname } = new URL(
    registry.remoteUrl.origin === origin ? registry.remoteUrl.url : url,
  );
  const fields = { protocol: protocol.slice(0, -1), host, path: pathname.slice(1) };
  const action = `find credentials for ${redactUrls(url)}`;
  const result = await registry.git.attempt(["credential", "fill"], {
    action,
    remote: true,
    stdin: Object.entries(fields).map(([name, value]) => `${name}=${value}\n`).join("") + "\n",
  });
  const found = new Map(
    new TextDecoder().decode(result.stdout).split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const [user, password] = [found.get("username"), found.get("password")];
  if (result.code !== 0 || user === undefined || password === undefined) {
    throw new AuthenticationError(`Cannot ${action}: git has none`, { code: "GIT_AUTHENTICATION" });
  }
  return { user, password: new Secret(password) };
}

function absent(problem: string): UnreachableError {
  return new UnreachableError(`Cannot read from Git LFS: ${problem}`, { code: "LFS_ABSENT" });
}

function unusual(why: string): FailedError {
  return new FailedError(`Cannot read parts of files from Git LFS: ${why}`, { code: "LFS_SERVER_UNUSUAL" });
}
