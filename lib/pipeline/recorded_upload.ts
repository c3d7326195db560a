import {
  type HuggingFacePublication,
  HuggingFacePublisher,
  type HuggingFacePublisherOptions,
} from "../carriers/huggingface_publisher.ts";
import { previewUpload, type UploadPreview } from "../carriers/huggingface_preview.ts";
import { hubSettings, repoLayout } from "../huggingface/hub_settings.ts";
import { uploadNames } from "../huggingface/upload_plan.ts";
import { totalBytes } from "../release/manifest.ts";
import { NO_CACHE, NO_FOLDER_MEMORY, readModelSet } from "../release/model_set.ts";
import { StatCache } from "../store/stat_cache.ts";
import { findStore, type Store } from "../store/store.ts";
import { releaseSeal } from "./configured_signing.ts";
import { publish, type PublishReport } from "./publish.ts";
import { refuseInvalid } from "./refuse_invalid.ts";
import { type CommandScope, reportedRun } from "./reported_run.ts";
import type { Timed } from "./run_report.ts";

/** The operator's choices for one upload. */
export interface UploadChoices {
  readonly allowShrink: boolean;
  /** `undefined` for the usual one, which names the time or the commit of GitHub Actions. */
  readonly commitMessage: string | undefined;
  readonly asPullRequest: boolean;
}

/** An upload to a Hugging Face hub that has ended. */
export type RecordedUpload = Timed<PublishReport & { readonly publication: HuggingFacePublication }>;

/** Publishes the model folder to the hub, as a recorded run. */
export async function recordedUpload(
  scope: CommandScope,
  store: Store,
  choices: UploadChoices,
): Promise<RecordedUpload> {
  return await reportedRun(scope, store, "hf-upload", async (run, observed) => {
    const options = await publisherOptions(scope, choices);
    return await publish(observed, store, run, {
      listsChunks: true,
      memory: NO_FOLDER_MEMORY,
      open: () => HuggingFacePublisher.open(observed, store, options),
      names: uploadNames(options.rules.layout),
      validate: scope.settings.activation.validate,
    });
  });
}

/** Returns what an upload would do, and the size of the files that it would publish. Changes nothing. */
export async function planUpload(
  scope: CommandScope,
  choices: UploadChoices,
): Promise<{ readonly preview: UploadPreview; readonly bytes: number }> {
  const { context, location, settings } = scope;
  const options = await publisherOptions(scope, choices);
  const store = findStore(context.fs, location, context.log);
  const cache = store === undefined ? NO_CACHE : StatCache.ofPublished(store);
  const names = uploadNames(options.rules.layout);
  const set = await readModelSet(context, location.modelsDir, cache, NO_FOLDER_MEMORY, names);
  const preview = await previewUpload(context, options, set, store);
  if (preview.outcome === "published") await refuseInvalid(context, store, set, settings.activation.validate);
  return { preview, bytes: totalBytes(set.files) };
}

async function publisherOptions(
  { settings, context }: CommandScope,
  { allowShrink, commitMessage, asPullRequest }: UploadChoices,
): Promise<HuggingFacePublisherOptions> {
  const { delete_removed, private: isPrivate } = settings.huggingface;
  return {
    hub: hubSettings(settings, context),
    rules: { layout: repoLayout(settings), deleteRemoved: delete_removed, allowShrink },
    commitMessage,
    isPrivate,
    asPullRequest,
    seal: await releaseSeal(context, settings.signing),
  };
}
