import * as z from "zod";
import { UnreachableError } from "../core/errors.ts";
import { parseJson } from "../core/json.ts";

/** The trace of a wait that the server requires. */
const RETRY = /^tq: enqueue retry #\d+ after (\d+)\.\d+s\b/;

/** GitHub's limits reset every minute. After a longer wait, the next run continues: this one would hold its locks. */
const WAIT_SECONDS_MAX = 120;

/** Git-lfs requests a hundred objects at once, each with about 2 KB of addresses and tokens. */
const BODY_CHARS_MAX = 1024 * 1024;

/** Go, in which git-lfs is written, ignores the case of a field's name. */
const Answer = z.record(z.string(), z.unknown()).nullable();

/**
 * Reads git-lfs's trace as it arrives, and finds answers after which git-lfs would wait longer than a run should: it waits
 * without end for the objects that an answer does not list.
 */
export class LfsTrace {
  readonly #action: string;
  /** The end of the last piece, which is no whole line yet. */
  #rest = "";
  /** The number of objects in the last request. */
  #requested = 0;
  /** What the next lines are about. */
  #state: "other" | "batch requested" | "batch answered" = "other";
  #body: string | undefined;

  constructor(action: string) {
    this.#action = action;
  }

  /** Returns the error for the wait that a piece of the trace shows; `undefined` if it shows none. */
  read(text: string): UnreachableError | undefined {
    const lines = (this.#rest + text).split("\n");
    this.#rest = (lines.pop() ?? "").slice(-BODY_CHARS_MAX);
    for (const line of lines) {
      const wait = this.#readLine(line);
      if (wait !== undefined) return wait;
    }
    return undefined;
  }

  #readLine(line: string): UnreachableError | undefined {
    const traced = /\btrace git-lfs: (.*)$/.exec(line)?.[1];
    if (traced === undefined) return this.#readBody(line);
    this.#body = undefined;
    this.#requested = Number(/^api: batch (\d+) files$/.exec(traced)?.[1] ?? this.#requested);
    const seconds = Number(RETRY.exec(traced)?.[1] ?? 0);
    if (seconds > WAIT_SECONDS_MAX) return tooLong(this.#action, seconds);
    const [, said, status, request] = /^HTTP: ((\d{3})$|[A-Z]+ (\S+)$|.*)/.exec(traced) ?? [];
    if (said === undefined) return undefined;
    if (request !== undefined) {
      this.#state = request.endsWith("/objects/batch") ? "batch requested" : "other";
    } else if (status !== undefined) {
      this.#state = this.#state === "batch requested" && status === "200" ? "batch answered" : "other";
    } else if (this.#state === "batch answered") {
      this.#body = "";
      return this.#readBody(said);
    }
    return undefined;
  }

  /** Adds a line to an answer, which may have several. */
  #readBody(line: string): UnreachableError | undefined {
    if (this.#body === undefined) return undefined;
    const isFirst = this.#body === "";
    this.#body += `${line}\n`;
    if (this.#body.length > BODY_CHARS_MAX) this.#body = undefined;
    // An answer with line breaks is complete at a bracket without indentation.
    else if (isFirst || /^[\]}]/.test(line)) {
      const listed = countObjects(this.#body);
      if (listed !== undefined && listed < this.#requested) {
        return unnamed(this.#action, listed, this.#requested);
      }
    }
    return undefined;
  }
}

/** Returns how many objects an answer lists; `undefined` for one that is incomplete, or that git-lfs refuses. */
function countObjects(body: string): number | undefined {
  const answer = Answer.safeParse(parseJson(body));
  if (!answer.success) return undefined;
  const field = Object.entries(answer.data ?? {}).find(([name]) => name.toLowerCase() === "objects")?.[1] ??
    [];
  return Array.isArray(field) ? field.length : undefined;
}

function unnamed(action: string, listed: number, requested: number): UnreachableError {
  const named = listed === 0 ? "none" : `only ${listed}`;
  return new UnreachableError(
    `Cannot ${action}: the Git LFS server's answer names ${named} of the ${
      requested === 1 ? "" : `${requested} `
    }requested objects`,
    { code: "ANSWER_INVALID", hint: "check that the address is the right server's: git lfs env" },
  );
}

function tooLong(action: string, seconds: number): UnreachableError {
  return new UnreachableError(`Cannot ${action}: the Git LFS server requires a wait of ${seconds} s`, {
    code: "GIT_RATE_LIMITED",
    hint: `the Git LFS server limits requests; run again in ${Math.ceil(seconds / 60)} min`,
  });
}
