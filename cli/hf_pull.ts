import { hubSettings, repoLayout } from "../lib/huggingface/hub_settings.ts";
import { HuggingFaceSource, type HuggingFaceSourceOptions } from "../lib/carriers/huggingface_source.ts";
import { hubCacheFolder } from "../lib/huggingface/hub_environment.ts";
import { HUB_OPTIONS, LIMIT_RATE, OTHER_WRITERS_OPTION, PULLING_OPTIONS } from "./_options.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import type { Session } from "./_session.ts";
import { previewPulling, runPulling } from "./_pull.ts";
import type { Store } from "../lib/store/store.ts";
import { SUMMARIES } from "./_help.ts";
import { type Options, switchOption } from "./_declaration.ts";
import { NO_OPERANDS } from "./_arguments.ts";

const OPTIONS = {
  ...HUB_OPTIONS,
  ...PULLING_OPTIONS,
  ...OTHER_WRITERS_OPTION,
  offlineOk: switchOption({
    group: "Options",
    brief: "Keep the active release when the hub is unreachable",
  }),
  hfCache: switchOption({
    group: "Options",
    brief: "Also use the cache of Hugging Face's libraries",
    note: "HF_HOME",
  }),
  limitRate: LIMIT_RATE,
} satisfies Options;

export type HfPullFlags = CommandFlags<typeof OPTIONS>;

export const program: Program = {
  name: "hf-pull",
  command: command({
    summary: SUMMARIES["hf-pull"],
    options: OPTIONS,
    operands: NO_OPERANDS,
    examples: [
      ["Show what would change", "model-sync hf-pull --repo-id you/models --dry-run"],
      ["Pull a tag", "model-sync hf-pull --revision v1.2"],
      ["Pull when a server starts, with or without the hub", "model-sync hf-pull --offline-ok"],
    ],
    run: (session, flags) => flags.dryRun ? previewHfPull(session, flags) : runHfPull(session, flags),
  }),
};

/** Pulls from the hub as a recorded run, and prints the result. */
export async function runHfPull(session: Session, flags: HfPullFlags): Promise<void> {
  const options = sourceOptions(session, flags);
  await runPulling(session, flags, {
    command: "hf-pull",
    needs: ["net"],
    open: (store) => new HuggingFaceSource(session.context, options, store),
    // With HF_HUB_OFFLINE, Hugging Face's libraries also continue with the files that they have.
    isOfflineOk: flags.offlineOk === true || options.hub.isOffline === true,
  });
}

async function previewHfPull(session: Session, flags: HfPullFlags): Promise<void> {
  await previewPulling(session, flags, (store) => openPreview(session, flags, store));
}

/** Opens the repository for a look that changes nothing. */
export function openPreview(
  session: Session,
  flags: HfPullFlags,
  store: Store | undefined,
): HuggingFaceSource {
  return new HuggingFaceSource(session.context, sourceOptions(session, flags), store);
}

function sourceOptions({ settings, context }: Session, flags: HfPullFlags): HuggingFaceSourceOptions {
  return {
    hub: hubSettings(settings, context),
    layout: repoLayout(settings),
    limits: {
      totalMs: settings.huggingface.transfer_timeout_sec * 1000,
      bytesPerSecondMax: flags.limitRate,
    },
    isHasty: flags.offlineOk === true,
    cacheFolder: flags.hfCache ? hubCacheFolder(context.env) : undefined,
  };
}

if (import.meta.main) await main(program);
