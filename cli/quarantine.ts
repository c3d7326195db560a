import { buildCommand, buildRouteMap } from "@stricli/core";
import { EVERY_SEQUENCE, liftFromQuarantine, quarantineRelease } from "../lib/pipeline/quarantine_release.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { readPointer } from "../lib/store/pointers.ts";
import { type QuarantineEntry, readQuarantine } from "../lib/store/quarantine.ts";
import { findStore } from "../lib/store/store.ts";
import { narrowToReporting, openExistingStore, type Session } from "./_session.ts";
import { defineGroup, type Invocation, main, type Program, withSession } from "./_command.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags, textFlag } from "./_options.ts";
import type { Output } from "./_output.ts";
import { SUMMARIES } from "./_help.ts";

interface AddFlags extends CommonFlags {
  readonly reason?: string;
}

const RELEASE = {
  kind: "tuple",
  parameters: [{
    brief: "its digest, or the beginning of it",
    placeholder: "release",
    parse: String,
  }],
} as const;

export const program: Program = defineGroup(
  "quarantine",
  buildRouteMap({
    docs: { brief: SUMMARIES.quarantine },
    routes: {
      list: buildCommand<CommonFlags, [], Invocation>({
        docs: { brief: "List quarantined releases with their reasons" },
        parameters: { flags: COMMON_FLAGS, aliases: COMMON_ALIASES },
        func: withSession((session) => Promise.resolve(list(session))),
      }),
      add: buildCommand<AddFlags, [string], Invocation>({
        docs: { brief: "Quarantine a release" },
        parameters: {
          flags: { ...COMMON_FLAGS, reason: textFlag("reason that the list shows") },
          aliases: COMMON_ALIASES,
          positional: RELEASE,
        },
        func: withSession((session, flags, release) => add(session, release, flags)),
      }),
      lift: buildCommand<CommonFlags, [string], Invocation>({
        docs: { brief: "Release from quarantine" },
        parameters: { flags: COMMON_FLAGS, aliases: COMMON_ALIASES, positional: RELEASE },
        func: withSession((session, _flags, release) => lift(session, release)),
      }),
    },
  }),
);

function list({ context, output, location }: Session): void {
  const store = findStore(context.fs, location, context.log);
  const entries = store === undefined ? [] : readQuarantine(store);
  output.answer({ quarantine: entries }, () => listLines(output, entries));
}

function listLines(output: Output, entries: readonly QuarantineEntry[]): string[] {
  if (entries.length === 0) return ["no release is quarantined"];
  return entries.map(({ digest, sequence, at, reason }) => {
    const upTo = sequence === EVERY_SEQUENCE ? "" : ` up to sequence ${sequence}`;
    return `${output.paint("bold", shortDigest(digest))}${upTo}  since ${at}: ${reason}`;
  });
}

async function add(session: Session, typed: string, { reason }: AddFlags): Promise<void> {
  const { output } = session;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const { release, outcome, runId } = await quarantineRelease(session, store, typed, reason);
  output.result({ outcome, release, runId }, () => [
    `${output.paint("green", "✓")} release ${shortDigest(release)} is quarantined: pulls refuse it`,
    ...(readPointer(store, "current") === release
      ? ["  it stays active; roll back from it with: model-sync rollback"]
      : []),
  ]);
}

async function lift(session: Session, typed: string): Promise<void> {
  const { output } = session;
  narrowToReporting(session);
  const store = openExistingStore(session);
  const { release, outcome, runId } = await liftFromQuarantine(session, store, typed);
  output.result({ outcome, release, runId }, () => [
    `${output.paint("green", "✓")} release ${shortDigest(release)} may be activated again`,
  ]);
}

if (import.meta.main) await main(program);
