import { hubSettings, repoLayout } from "../lib/huggingface/hub_settings.ts";
import { buildCommand } from "@stricli/core";
import { HuggingFaceSource, type HuggingFaceSourceOptions } from "../lib/carriers/huggingface_source.ts";
import { hubCacheFolder } from "../lib/huggingface/hub_environment.ts";
import { COMMON_ALIASES, COMMON_FLAGS, HUB_FLAGS, type HubFlags, rateFlag, switchFlag } from "./_options.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import type { Session } from "./_session.ts";
import {
  OTHER_WRITERS_FLAG,
  type OtherWriterFlags,
  previewPulling,
  PULLING_FLAGS,
  type PullingFlags,
  runPulling,
} from "./_pull.ts";
import { SUMMARIES } from "./_help.ts";

export interface HfPullFlags extends PullingFlags, OtherWriterFlags, HubFlags {
  readonly offlineOk?: boolean;
  readonly hfCache?: boolean;
  readonly limitRate?: number;
}

export const program: Program = defineProgram(
  "hf-pull",
  buildCommand<HfPullFlags, [], Invocation>({
    docs: { brief: SUMMARIES["hf-pull"] },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...HUB_FLAGS,
        ...PULLING_FLAGS,
        acceptOtherWriters: OTHER_WRITERS_FLAG,
        offlineOk: switchFlag("keep the active release when the hub is unreachable"),
        hfCache: switchFlag("also use the cache of Hugging Face's libraries (HF_HOME)"),
        limitRate: rateFlag("download no faster than this, in bytes a second: 500K, 10M"),
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession((session, flags) =>
      flags.dryRun ? previewHfPull(session, flags) : runHfPull(session, flags)
    ),
  }),
);

/** One pull from the hub, recorded and shown. */
export async function runHfPull(session: Session, flags: HfPullFlags): Promise<void> {
  const options = sourceOptions(session, flags);
  await runPulling(session, flags, {
    command: "hf-pull",
    needs: ["net"],
    open: (store) => new HuggingFaceSource(session.context, options, store),
    // Python's libraries go on with what they have, too.
    isOfflineOk: flags.offlineOk === true || options.hub.isOffline === true,
  });
}

async function previewHfPull(session: Session, flags: HfPullFlags): Promise<void> {
  const options = sourceOptions(session, flags);
  await previewPulling(session, flags, (store) => new HuggingFaceSource(session.context, options, store));
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
