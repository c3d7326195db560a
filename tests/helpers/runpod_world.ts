import { join } from "node:path";
import { RunPodSource, type RunPodSourceOptions } from "../../lib/carriers/runpod_source.ts";
import { writeZip } from "../../lib/archive/zip_writer.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import { systemClock } from "../../lib/core/clock.ts";
import type { Context } from "../../lib/core/context.ts";
import { Secret } from "../../lib/core/secret.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import type { PullReport } from "../../lib/pipeline/pull_report.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, MANIFEST_NAME, releaseFile, type Withdrawal } from "../../lib/release/manifest.ts";
import { SIGNATURE_NAME } from "../../lib/release/registry_file.ts";
import { expiryOf, type Seal } from "../../lib/signing/seal.ts";
import type { RunPodApi } from "../../lib/runpod/client.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import { type FileServer, startFileServer } from "../../fakes/file_server.ts";
import { type JobState } from "../../fakes/runpod_messages.ts";
import { type FakeRunPod, startRunPod } from "../../fakes/runpod_server.ts";
import { writeFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";

type Files = Readonly<Record<string, string | Uint8Array>>;

/** An account at RunPod whose jobs create archives, and another server that has these archives. */
export class RunPodWorld implements AsyncDisposable {
  readonly api: FakeRunPod = startRunPod();
  readonly files: FileServer = startFileServer(new Uint8Array(0));
  readonly #root: string;
  #models: Files = {};
  #manifest: string | undefined;
  #signature: string | undefined;
  #isDown = false;

  constructor(root: string) {
    this.#root = root;
    this.api.script = this.scriptOf({ models_archive_url: this.archiveUrl });
  }

  /** Signed: its query is a secret. */
  get archiveUrl(): string {
    return `${this.files.url}?X-Amz-Signature=signed-secret`;
  }

  /** Lets the next job end with this output. */
  scriptOf(output: unknown): readonly JobState[] {
    return [{ status: "IN_PROGRESS", output: "training" }, { status: "COMPLETED", output }];
  }

  /** Puts these models into the next job's archive, and with a sequence also their manifest. */
  async offer(
    models: Files,
    sequence?: number,
    seal?: Seal,
    withdrawals?: readonly Withdrawal[],
  ): Promise<void> {
    this.#models = models;
    this.#manifest = undefined;
    this.#signature = undefined;
    if (sequence !== undefined) {
      await this.#write(async (digests) => {
        const files = digests.map(({ path, ...digest }) => releaseFile(path.slice("models/".length), digest));
        const origin = { carrier: "runpod" as const, folder: "models" };
        const term = expiryOf(seal, new Date());
        const details = { sequence, createdAt: "2026-11-21T00:00:00Z", ...term, origin, withdrawals };
        const manifest = await createManifest(files, details);
        this.#manifest = formatManifest(manifest);
        this.#signature = await seal?.signer?.sign(manifest, this.#manifest, "models");
        return [];
      });
    }
    await this.#write();
  }

  /** Changes bytes in an archive, but not its manifest. */
  async tamper(path: string, content: string | Uint8Array): Promise<void> {
    this.#models = { ...this.#models, [path]: content };
    await this.#write();
  }

  /** Changes the manifest in an archive, but not its models and signature. */
  async replaceManifest(text: string): Promise<void> {
    this.#manifest = text;
    await this.#write();
  }

  /** Changes the signature in an archive, but not its models and manifest. */
  async replaceSignature(text: string): Promise<void> {
    this.#signature = text;
    await this.#write();
  }

  async #write(trailer?: NonNullable<Parameters<typeof writeZip>[3]>["trailer"]): Promise<void> {
    const folder = join(this.#root, "offered");
    Deno.mkdirSync(this.#root, { recursive: true });
    writeFiles(folder, this.#models);
    const inputs = Object.keys(this.#models).map((path) => ({
      path: `models/${path}`,
      location: join(folder, path),
    }));
    const texts = [{ path: MANIFEST_NAME, text: this.#manifest }, {
      path: SIGNATURE_NAME,
      text: this.#signature,
    }];
    const archive = join(this.#root, "archive.zip");
    await writeZip(testContext(), archive, inputs, {
      trailer: trailer ??
        (() =>
          Promise.resolve(texts.flatMap(({ path, text }) => text === undefined ? [] : [{ path, text }]))),
    });
    this.files.content = Deno.readFileSync(archive);
    this.files.etag = `"${crypto.randomUUID()}"`;
    Deno.removeSync(folder, { recursive: true });
  }

  apiSettings(changed: Partial<RunPodApi> = {}): RunPodApi {
    return {
      triggerUrl: this.#isDown ? `http://127.0.0.1:${CLOSED_PORT}/v2/ep1/run` : this.api.triggerUrl,
      statusUrlTemplate: this.api.statusUrlTemplate,
      method: "POST",
      payload: { input: { prompt: "train" } },
      headers: {
        authorization: new Secret(`Bearer ${this.api.apiKey}`),
        "x-team": new Secret("team-secret"),
        cookie: new Secret("session=cookie-secret"),
      },
      requestTimeoutMs: 20_000,
      jobTimeoutMs: 3_600_000,
      ...changed,
    };
  }

  /** Creates a source for one run; on a real clock, it polls the job without pauses. */
  open(
    context: Context,
    store: Store,
    changed: Partial<RunPodSourceOptions> = {},
  ): RunPodSource {
    return new RunPodSource(context, {
      api: this.apiSettings(),
      pollIntervalMs: 1,
      downloadTimeoutMs: 300_000,
      downloadBytesMax: 1024 ** 3,
      bytesPerSecondMax: undefined,
      limits: ARCHIVE_LIMITS,
      subdir: "models",
      cancels: true,
      startsNewJob: false,
      ...changed,
    }, store);
  }

  /** Pulls to the machine with this model folder. */
  async pullTo(
    modelsDir: string,
    context: Context = testContext(),
    changed: Partial<RunPodSourceOptions> = {},
  ): Promise<PullReport> {
    const store = openStore(context.fs, { modelsDir });
    // Taking the lock needs the real clock.
    return await recordedRun({ ...context, clock: systemClock }, store, {
      command: "runpod-pull",
      lock: "store",
      sinks: [],
    }, async (run) => {
      await using source = this.open(context, store, changed);
      return await pull(context, store, source, run, {
        allowDowngrade: false,
        force: false,
        activation: "auto",
        keep: 5,
      });
    });
  }

  /** Makes the API unreachable. */
  disconnect(): () => void {
    this.#isDown = true;
    return () => void (this.#isDown = false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    await this.files[Symbol.asyncDispose]();
  }
}

/** A port that no program gets by chance, as it may get one that a test freed. fetch() refuses port 1 itself. */
const CLOSED_PORT = 2;
