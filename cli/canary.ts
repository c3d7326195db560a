import { readCanary, UNREADABLE_HINT } from "../lib/canary/canary_state.ts";
import { canaryLines, describeCanary } from "../lib/canary/describe_canary.ts";
import { FailedError } from "../lib/core/errors.ts";
import { canaryPath } from "../lib/canary/find_canary.ts";
import { recordedAbort, recordedPromotion } from "../lib/pipeline/promote_or_abort.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import type { CanaryDescription } from "../lib/wire/schema.ts";
import { findStore } from "../lib/store/store.ts";
import { narrowPermissions, openExistingStore, type Session } from "./_session.ts";
import { command, main, type Program } from "./_command.ts";
import { NO_OPERANDS } from "./_arguments.ts";

const PLAIN = { options: {}, operands: NO_OPERANDS };

export const program: Program = {
  name: "canary",
  commands: {
    status: command({
      ...PLAIN,
      summary: "Show the canary, its metrics and its remaining time",
      examples: [["Show how the release in canary is doing", "model-sync canary status"]],
      run: (session) => Promise.resolve(status(session)),
    }),
    promote: command({
      ...PLAIN,
      summary: "Accept the release and end the canary",
      examples: [["Accept the release before its time is over", "model-sync canary promote"]],
      run: promote,
    }),
    abort: command({
      ...PLAIN,
      summary: "Reject the release and roll back",
      examples: [["Roll back to the replaced release", "model-sync canary abort"]],
      run: abort,
    }),
  },
};

function status({ context, output, settings, location }: Session): void {
  const store = findStore(context.fs, location, context.log);
  const found = store === undefined ? undefined : readCanary(context.fs, canaryPath(store));
  if (found?.kind === "unreadable") {
    throw new FailedError(`Cannot show the canary: ${found.reason}`, {
      code: "CANARY_STATE_INVALID",
      hint: UNREADABLE_HINT,
    });
  }
  const canary = found?.kind === "found" ? describeCanary(found.state, settings.activation.canary) : null;
  output.answer({ canary }, () => statusLines(canary));
}

function statusLines(canary: CanaryDescription | null): string[] {
  return canary === null
    ? [
      "no release is in canary: each release after the first has a canary if activation.canary has metrics",
    ]
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
