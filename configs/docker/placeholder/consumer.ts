import * as z from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import { plural } from "../../../lib/core/format.ts";
import { parseJson } from "../../../lib/core/json.ts";
import { signatureProblem } from "./check_signature.ts";
import { type LoadedRelease, loadRelease } from "./load_release.ts";

export interface ConsumerOptions {
  /** The name of the service, for its answers. */
  readonly name: string;
  readonly modelsDir: string;
  /** Requests to reload are signed with it. */
  readonly secret: string;
  /** Returns the time in milliseconds since 1970. */
  readonly now: () => number;
  readonly log: (line: string) => void;
}

/** The used part of a notification; `docs` of the setting `activation.reload` describe all of it. */
const Notification = z.object({ digest: z.string() });

/** model-sync sends at most 20 kB. */
const BODY_BYTES_MAX = 64 * 1024;

/**
 * A program that serves models: it loads the release in the model folder when it starts and whenever model-sync notifies
 * it, and says which one it serves.
 *
 * - `POST /reload` loads the release of the notification. Any status but 2xx makes model-sync roll back.
 * - `GET /version` answers with the release.
 * - `GET /healthz` answers 200 while the program works, also before the first release arrives.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  #served: (LoadedRelease & { readonly loadedAt: string }) | undefined;

  constructor(options: ConsumerOptions) {
    this.#options = options;
  }

  /** Loads the release that is active now. Without one, the consumer waits for the first notification. */
  async start(): Promise<void> {
    const { modelsDir, log } = this.#options;
    const loaded = await loadRelease(modelsDir);
    if (loaded === undefined) log(`${modelsDir} does not exist yet: waiting for the first release`);
    else this.#serve(loaded);
  }

  async answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/reload" && request.method === "POST") return await this.#reload(request);
    if (request.method !== "GET") return fault(405, "this address takes GET only");
    if (pathname === "/version") return Response.json(this.#version());
    if (pathname === "/healthz") {
      return Response.json({ alive: true, release: this.#served?.release ?? null });
    }
    return fault(404, "there are /version, /healthz and POST /reload");
  }

  async #reload(request: Request): Promise<Response> {
    const { secret, now, modelsDir, log } = this.#options;
    const body = await readBody(request);
    if (body === undefined) return fault(413, `the body is longer than ${BODY_BYTES_MAX} bytes`);
    const problem = signatureProblem(request.headers, body, secret, now());
    if (problem !== undefined) {
      log(`refused a request to reload: ${problem}`);
      return fault(401, problem);
    }
    const { success, data } = Notification.safeParse(parseJson(body));
    if (!success) return fault(400, "the body is not a notification of model-sync");
    let loaded: LoadedRelease | undefined;
    try {
      loaded = await loadRelease(modelsDir);
    } catch (error) {
      log(`cannot load ${modelsDir}: ${messageOf(error)}`);
      return fault(500, "the models cannot be loaded; the log says why");
    }
    if (loaded?.release !== data.digest) {
      log(`refused to reload: notified of ${data.digest}, found ${loaded?.release ?? "no models"}`);
      return fault(409, `the model folder holds ${loaded?.release ?? "no models"}`);
    }
    this.#serve(loaded);
    return Response.json(this.#version());
  }

  #serve(loaded: LoadedRelease): void {
    const { now, log } = this.#options;
    this.#served = { ...loaded, loadedAt: new Date(now()).toISOString() };
    log(
      `serving release ${loaded.release}: ${plural(loaded.files, "file")}, ${plural(loaded.bytes, "byte")}`,
    );
  }

  #version(): object {
    return { name: this.#options.name, ...(this.#served ?? { release: null }) };
  }
}

/** Returns the body as text; `undefined` if it is too long. */
async function readBody(request: Request): Promise<string | undefined> {
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  for await (const piece of request.body ?? []) {
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

function fault(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
