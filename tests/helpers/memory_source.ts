import type { Offer, Revision, Source } from "../../lib/carriers/carrier.ts";
import type { Context } from "../../lib/core/context.ts";
import { FileHasher } from "../../lib/core/hash.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import type { PullOptions } from "../../lib/pipeline/pull_options.ts";
import type { PullReport } from "../../lib/pipeline/pull_report.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import type { Timed } from "../../lib/pipeline/run_report.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, type Manifest, releaseFile, type Withdrawal } from "../../lib/release/manifest.ts";
import type { Staging } from "../../lib/store/staging.ts";
import type { Store } from "../../lib/store/store.ts";

/** A registry in memory, whose newest release never changes. Its revision is the sequence of the release. */
export class MemorySource implements Source {
  readonly carrier = "git";
  otherThanRefused?: string;
  /** Called before the files are staged. */
  beforeStage = (): void => {};
  /** The calls of a pull, in order. */
  readonly calls: string[] = [];
  readonly #files: Readonly<Record<string, string>>;
  readonly #manifest: Manifest;

  private constructor(files: Readonly<Record<string, string>>, manifest: Manifest) {
    this.#files = files;
    this.#manifest = manifest;
  }

  static async offering(
    files: Readonly<Record<string, string>>,
    sequence: number,
    withdrawals: readonly Withdrawal[] = [],
  ): Promise<MemorySource> {
    const entries = await Promise.all(
      Object.entries(files).map(async ([path, text]) => {
        const hasher = await FileHasher.create();
        hasher.update(new TextEncoder().encode(text));
        return releaseFile(path, hasher.digest());
      }),
    );
    const origin = { carrier: "git", host: "trainer" } as const;
    const details = { sequence, createdAt: "2026-11-21T00:00:00Z", origin, withdrawals };
    return new MemorySource(files, await createManifest(entries, details));
  }

  get digest() {
    return this.#manifest.digest;
  }

  resolve(): Promise<Revision> {
    this.calls.push("resolve");
    return Promise.resolve({ id: String(this.#manifest.sequence), source: "memory" });
  }

  inspect(revision: Revision): Promise<Offer> {
    this.calls.push("inspect");
    const manifest = this.#manifest;
    return Promise.resolve({
      revision,
      claim: { manifest, text: formatManifest(manifest) },
      files: manifest.files,
    });
  }

  async stage(_offer: Offer, staging: Staging): Promise<void> {
    this.calls.push("stage");
    this.beforeStage();
    for (const { path, sha256 } of this.#manifest.files) {
      if (await staging.link(path, sha256)) continue;
      await staging.write(path, [new TextEncoder().encode(this.#files[path])]);
    }
  }

  accept(): Promise<void> {
    this.calls.push("accept");
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Pulls from a source like `model-sync pull`. */
export async function pullFrom(
  context: Context,
  store: Store,
  source: Source,
  options: Partial<PullOptions> = {},
): Promise<Timed<PullReport>> {
  return await recordedRun(
    context,
    store,
    { command: "pull", lock: "store", sinks: [] },
    (run) =>
      pull(context, store, source, run, {
        allowDowngrade: false,
        force: false,
        activation: "auto",
        keep: 5,
        ...options,
      }),
  );
}
