import { join } from "node:path";
import { type GitHubActionsOptions, GitHubActionsSource } from "../../lib/carriers/github_actions_source.ts";
import { ARCHIVE_LIMITS } from "../../lib/archive/archive_limits.ts";
import { isoSeconds } from "../../lib/core/clock.ts";
import type { Context } from "../../lib/core/context.ts";
import { hashFile } from "../../lib/core/hash.ts";
import { Secret } from "../../lib/core/secret.ts";
import { pull } from "../../lib/pipeline/pull.ts";
import type { PullOptions } from "../../lib/pipeline/pull_options.ts";
import { recordedRun } from "../../lib/pipeline/run.ts";
import { formatManifest } from "../../lib/release/format_manifest.ts";
import { createManifest, MANIFEST_NAME, releaseFile, type Withdrawal } from "../../lib/release/manifest.ts";
import { SIGNATURE_NAME } from "../../lib/release/registry_file.ts";
import { expiryOf, type Seal } from "../../lib/signing/seal.ts";
import { partialPath } from "../../lib/store/partials.ts";
import { openStore, type Store } from "../../lib/store/store.ts";
import {
  type GitHubServer,
  OWNER,
  REPOSITORY,
  type RunDetails,
  startGitHubServer,
  TOKEN,
} from "../../fakes/github_server.ts";
import { QuickClock } from "./fake_clock.ts";
import { streamedZip } from "./streamed_zip.ts";
import { tempDir, writeFiles } from "./temp_dir.ts";
import { testContext } from "./test_context.ts";

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Longer than any test: most tests are not about time limits. */
const NEVER_MS = 24 * 3_600_000;

/** A GitHub server on loopback, a bot that pulls from it, and a clock on which retries do not wait. */
export class ActionsWorld implements AsyncDisposable {
  readonly clock = new QuickClock("2026-11-21T00:00:00Z");
  readonly github: GitHubServer = startGitHubServer(this.clock);
  readonly #dir = tempDir();
  readonly store: Store = openStore(Deno, { modelsDir: join(this.#dir.path, "bot/models") });
  #runs = 0;

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.github[Symbol.asyncDispose]();
    } finally {
      this.#dir[Symbol.dispose]();
    }
  }

  /** Adds a run of the workflow with these files as its only artifact. @returns the run's id */
  async train(files: Files, details: RunDetails = {}): Promise<number> {
    const run = this.github.addRun(details);
    await this.github.addArtifact(run, {
      name: `trained-models-${++this.#runs}`,
      content: streamedZip(files),
    });
    return run;
  }

  async pull(
    changed: Partial<ChangedOptions> = {},
    context: Context = testContext(),
    options: Partial<PullOptions> = {},
  ) {
    const store = openStore(context.fs, { modelsDir: this.store.modelsDir });
    return await recordedRun(
      context,
      store,
      { command: "artifact-pull", lock: "store", sinks: [] },
      async (run) => {
        // Waiting for the lock needs the real clock.
        await using source = openActions({ ...context, clock: this.clock }, this.github, store, changed);
        return await pull(context, store, source, run, {
          allowDowngrade: false,
          force: false,
          activation: "auto",
          keep: 5,
          ...options,
        });
      },
    );
  }
}

/** The options of a source that tests change. */
interface ChangedOptions {
  readonly workflow: string | undefined;
  readonly branch: string;
  readonly conclusion: "success" | "neutral" | "any";
  readonly artifact: string;
  readonly token: string;
  readonly bytesMax: number;
  readonly run: number;
}

/** Opens a source on the GitHub server of a test. */
export function openActions(
  context: Context,
  github: GitHubServer,
  store: Store,
  changed: Partial<ChangedOptions> = {},
): GitHubActionsSource {
  const options: GitHubActionsOptions = {
    query: {
      owner: OWNER,
      repository: REPOSITORY,
      workflow: "workflow" in changed ? changed.workflow : "train_models.yml",
      branch: changed.branch ?? "main",
      conclusion: changed.conclusion ?? "success",
    },
    artifact: changed.artifact ?? "*model*,*onnx*",
    access: {
      apiUrl: github.apiUrl,
      serverUrl: "https://github.com",
      token: new Secret(changed.token ?? TOKEN),
      timeoutMs: NEVER_MS,
    },
    download: { stallMs: NEVER_MS, totalMs: NEVER_MS, bytesMax: changed.bytesMax ?? 1024 ** 3 },
    archives: ARCHIVE_LIMITS,
    partialPath: (name) => partialPath(store, name),
    run: changed.run,
  };
  return new GitHubActionsSource(context, options, store);
}

/** Returns files with their manifest, as `model-sync train` puts them into an archive. */
export async function withManifest(
  files: Files,
  sequence: number,
  seal?: Seal,
  withdrawals?: readonly Withdrawal[],
): Promise<Files> {
  using dir = tempDir();
  writeFiles(dir.path, files);
  const signal = new AbortController().signal;
  const entries = await Promise.all(
    Object.keys(files).map(async (path) =>
      releaseFile(path, await hashFile(Deno, join(dir.path, path), { signal }))
    ),
  );
  const origin = { carrier: "github-actions", folder: "models" } as const;
  const now = new Date();
  const createdAt = isoSeconds(now);
  const manifest = await createManifest(entries, {
    sequence,
    createdAt,
    ...expiryOf(seal, now),
    origin,
    withdrawals,
  });
  const text = formatManifest(manifest);
  const signature = await seal?.signer?.sign(manifest, text, "models");
  const below = Object.entries(files).map(([path, content]) => [`models/${path}`, content]);
  return {
    ...Object.fromEntries(below),
    [MANIFEST_NAME]: text,
    ...(signature === undefined ? {} : { [SIGNATURE_NAME]: signature }),
  };
}
