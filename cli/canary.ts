import { buildCommand, buildRouteMap } from "@stricli/core";
import { readCanary, UNREADABLE_MEND } from "../lib/canary/canary_state.ts";
import { canaryLines, describeCanary } from "../lib/canary/describe_canary.ts";
import { FailedError } from "../lib/core/errors.ts";
import { canaryPath } from "../lib/canary/find_canary.ts";
import { recordedAbort, recordedPromotion } from "../lib/pipeline/promote_or_abort.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import type { CanaryDescription } from "../lib/wire/schema.ts";
import { findStore } from "../lib/store/store.ts";
import { narrowPermissions, openExistingStore, type Session } from "./_session.ts";
import { defineGroup, type Invocation, main, type Program, withSession } from "./_command.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags } from "./_options.ts";
import { SUMMARIES } from "./_help.ts";

const COMMON = { flags: COMMON_FLAGS, aliases: COMMON_ALIASES };

export const program: Program = defineGroup(
  "canary",
  buildRouteMap({
    docs: { brief: SUMMARIES.canary },
    routes: {
      status: buildCommand<CommonFlags, [], Invocation>({
        docs: { brief: "Show the canary, its metrics and its remaining time" },
        parameters: COMMON,
        func: withSession((session) => Promise.resolve(status(session))),
      }),
      promote: buildCommand<CommonFlags, [], Invocation>({
        docs: { brief: "Accept the release and end the canary" },
        parameters: COMMON,
        func: withSession(promote),
      }),
      abort: buildCommand<CommonFlags, [], Invocation>({
        docs: { brief: "Reject the release and roll back" },
        parameters: COMMON,
        func: withSession(abort),
      }),
    },
  }),
);

function status({ context, output, settings, location }: Session): void {
  const store = findStore(context.fs, location, context.log);
  const found = store === undefined ? undefined : readCanary(context.fs, canaryPath(store));
  if (found?.kind === "unreadable") {
    throw new FailedError(`Cannot show the canary: ${found.reason}`, {
      code: "CANARY_STATE_INVALID",
      hint: UNREADABLE_MEND,
    });
  }
  const canary = found?.kind === "found" ? describeCanary(found.state, settings.activation.canary) : null;
  output.answer({ canary }, () => statusLines(canary));
}

function statusLines(canary: CanaryDescription | null): string[] {
  return canary === null
    ? ["no release was put under watch yet: a first one is not, the next ones are, see activation.canary"]
    : canaryLines(canary);
}

async function promote(session: Session): Promise<void> {
  const { output } = session;
  narrowPermissions(session, []);
  const { outcome, release, sequence, runId } = await recordedPromotion(session, openExistingStore(session));
  output.result({ outcome, release, sequence, runId }, () => [
    `${output.paint("green", "✓")} promoted release ${shortDigest(release)}: its canary is over`,
  ]);
}

async function abort(session: Session): Promise<void> {
  const { output } = session;
  narrowPermissions(session, []);
  const { outcome, release, previous, runId } = await recordedAbort(session, openExistingStore(session));
  output.result({ outcome, release: release ?? null, previous: previous ?? null, runId }, () => [
    release === undefined
      ? "nothing to do: the release is not active any more"
      : `${output.paint("green", "✓")} rolled back to release ${shortDigest(release)}`,
  ]);
}

if (import.meta.main) await main(program);
