import type { Context } from "../core/context.ts";
import type { Secret } from "../core/secret.ts";

/** The part of a {@link Context} that a request needs. */
export type HttpContext = Pick<Context, "http" | "clock" | "signal">;

/** Headers that are sent to one origin (scheme, host and port) only, not to the targets of redirects. */
export interface Credentials {
  readonly origin: string;
  readonly headers: Readonly<Record<string, Secret>>;
}

/** Names a request in its errors. */
export interface NamedRequest {
  /** The object of the request: `the state of job 12`. */
  readonly what: string;
  /** What the request does with it: `create`. Default: `read`. */
  readonly verb?: string | undefined;
}

export interface HttpRequest extends NamedRequest {
  readonly url: string;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent to every host that a redirect leads to. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly credentials?: Credentials | undefined;
  /** A blob is sent with its length. A stream is sent in chunks, which storage refuses. */
  readonly body?: string | Blob | ReadableStream<Uint8Array<ArrayBuffer>>;
  /** `"refuse"` returns a redirect as the answer, without following it. */
  readonly redirects?: "follow" | "refuse";
  /** Redacted from messages in addition to the credentials, in case the server repeats them. */
  readonly secrets?: readonly Secret[];
}
