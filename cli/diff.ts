import { EXIT, type ExitCode, RefusedError, UsageError } from "../lib/core/errors.ts";
import { formatBytes } from "../lib/core/format.ts";
import { diffLists, type FileChange, type KnownFile, sumChanges } from "../lib/release/file_changes.ts";
import { shortDigest } from "../lib/release/manifest.ts";
import { type ComparedRelease, findCompared, type KnownReleases } from "../lib/status/find_compared.ts";
import { knownReleases } from "../lib/status/known_releases.ts";
import { activeManifest } from "../lib/store/pointers.ts";
import { findStore } from "../lib/store/store.ts";
import { command, type CommandFlags, main, type Program } from "./_command.ts";
import { type Operands, type Options, switchOption } from "./_declaration.ts";
import { SUMMARIES } from "./_help.ts";
import type { Output, Style } from "./_output.ts";
import {
  carrierOf,
  lookUp,
  narrowToRemotes,
  pullingCommand,
  type RemoteRole,
  remoteRoles,
} from "./_remote.ts";
import { fromText, SIGNER_CHARS } from "./_runs.ts";
import { narrowToReading, requireStore, type Session } from "./_session.ts";
import { type Column, tableLines } from "./_table.ts";

const OPTIONS = {
  exitCode: switchOption({ group: "Options", brief: "End with exit code 1 if any file differs" }),
} satisfies Options;

type DiffFlags = CommandFlags<typeof OPTIONS>;

/** The releases to compare, as they were typed. */
interface Pair {
  readonly from: string;
  readonly to: string;
}

const PAIR: Operands<Pair> = {
  usage: "[A [B]]",
  brief:
    "A sequence, a digest's beginning, active, previous or remote (default: previous, then active, or the last two published)",
  completion: "compared",
  parse: ([from = "previous", to = "active", excess]) => {
    if (excess === undefined) return { from, to };
    throw new UsageError(`Cannot use the argument "${excess}": the command compares two releases`, {
      code: "USAGE",
    });
  },
};

export const program: Program = {
  name: "diff",
  command: command({
    summary: SUMMARIES.diff,
    options: OPTIONS,
    operands: PAIR,
    examples: [
      ["Show what the last activation changed", "model-sync diff"],
      ["Show what a pull would change", "model-sync diff active remote"],
      ["Compare two releases by their sequences", "model-sync diff 41 43"],
    ],
    run,
  }),
};

async function run(session: Session, flags: DiffFlags, pair: Pair): Promise<ExitCode> {
  const role = [pair.from, pair.to].includes("remote") ? remoteRole(session) : undefined;
  if (role === undefined) narrowToReading(session);
  else narrowToRemotes(session, [role]);
  let known: KnownReleases | undefined;
  const find = async (typed: string) =>
    role !== undefined && typed === "remote"
      ? await findRemote(session, role)
      : findCompared(known ??= openKnown(session), typed);
  const from = await find(pair.from);
  const to = await find(pair.to);
  const { changes, comparedTo } = diffLists(from, to);
  const sums = sumChanges(changes);
  const transferBytes = sums.addedBytes + sums.changedBytes;
  const isSigned = (from.signer ?? to.signer) !== null;
  const json = {
    from: releaseJson(from),
    to: releaseJson(to),
    counts: sums.counts,
    transferBytes,
    comparedTo: comparedTo ?? null,
    changes: changesJson(changes, from.files, to.files),
  };
  session.output.answer(json, () => [
    releaseLine(session.output, "from", from, isSigned),
    releaseLine(session.output, "to", to, isSigned),
    ...changeTable(session.output, changes),
    sumLine(sums, transferBytes),
    ...(comparedTo === undefined ? [] : [`only the files up to ${comparedTo} are known and compared`]),
  ]);
  return flags.exitCode === true && changes.length > 0 ? EXIT.failed : EXIT.done;
}

/** Returns the role whose source has the remote release: that of the active release's carrier, or else the first. */
function remoteRole(session: Session): RemoteRole {
  const { context, location } = session;
  const roles = remoteRoles(session);
  const store = findStore(context.fs, location);
  const active = store === undefined ? undefined : activeManifest(store)?.origin.carrier;
  const role = roles.find((role) => carrierOf(role) === active) ?? roles[0];
  if (role !== undefined) return role;
  throw new UsageError("Cannot look up the remote release: no source of releases is configured", {
    code: "NO_SOURCE",
    hint:
      "set model_sync.repo_url, huggingface.repo_id or artifacts.repository; a RunPod job has no release before it is trained",
  });
}

/** Returns the releases of this machine. Warns of damage: once is enough. */
function openKnown(session: Session): KnownReleases {
  const store = requireStore(session);
  return { store, known: knownReleases(store) };
}

async function findRemote(session: Session, role: RemoteRole): Promise<ComparedRelease> {
  const store = findStore(session.context.fs, session.location, session.context.log);
  const { files, ...remote } = await lookUp(session, store, role);
  if (files !== null) return { ...remote, files, total: files.length };
  throw new RefusedError(
    `Cannot compare revision ${remote.revision}: its files are known only after the download`,
    {
      code: "FILES_UNKNOWN",
      hint: `run model-sync ${pullingCommand(role)} --dry-run, which downloads the archive and compares it`,
    },
  );
}

function releaseJson({ files, total, ...release }: ComparedRelease): Record<string, unknown> {
  const bytes = files.length < total ? null : files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  return { ...release, files: total, bytes };
}

function changesJson(
  changes: readonly FileChange[],
  before: readonly KnownFile[],
  after: readonly KnownFile[],
): readonly Record<string, unknown>[] {
  const [old, fresh] = [before, after].map((files) =>
    new Map(files.map(({ path, sha256 }) => [path, sha256]))
  );
  return changes.map(({ path, kind, from, sizeBefore, sizeAfter }) => ({
    path,
    kind,
    ...(from === undefined ? {} : { from }),
    sizeBefore: sizeBefore ?? null,
    sizeAfter: sizeAfter ?? null,
    sha256Before: old?.get(from ?? path) ?? null,
    sha256After: fresh?.get(path) ?? null,
  }));
}

/** Says where a release comes from. Signers are shown if there is one. */
function releaseLine(output: Output, name: string, release: ComparedRelease, isSigned: boolean): string {
  const { digest, sequence, createdAt, carrier, revision, signer } = release;
  const facts = [
    ...(sequence === null ? [] : [`sequence ${sequence}`]),
    ...(carrier === null ? [] : [fromText(carrier, revision ?? undefined)]),
    ...(createdAt === null ? [] : [createdAt]),
    ...(isSigned ? [signer === null ? "unsigned" : `signed by ${signer.slice(0, SIGNER_CHARS)}`] : []),
  ];
  return `${name.padEnd(4)}  ${
    output.paint("bold", digest === null ? "no manifest" : shortDigest(digest))
  }  ${facts.join(", ")}`;
}

const COLUMNS: readonly Column[] = [
  { heading: "CHANGE" },
  { heading: "BEFORE", align: "end", leftOut: 2 },
  { heading: "AFTER", align: "end", leftOut: 1 },
  { heading: "FILE" },
];

const STYLES: Readonly<Record<FileChange["kind"], Style>> = {
  added: "green",
  removed: "red",
  changed: "yellow",
  renamed: "cyan",
};

function changeTable(output: Output, changes: readonly FileChange[]): string[] {
  if (changes.length === 0) return [];
  const size = (bytes: number | undefined) => bytes === undefined ? "–" : formatBytes(bytes);
  return tableLines(
    output,
    COLUMNS,
    changes.map(({ path, kind, from, sizeBefore, sizeAfter }) => ({
      cells: [
        { text: kind, style: STYLES[kind] },
        size(sizeBefore),
        size(sizeAfter),
        from === undefined ? path : `${path} (was ${from})`,
      ],
    })),
  );
}

function sumLine({ counts }: ReturnType<typeof sumChanges>, transferBytes: number): string {
  const parts = (["changed", "added", "removed", "renamed"] as const).flatMap((kind) =>
    counts[kind] === 0 ? [] : [`${counts[kind]} ${kind}`]
  );
  return parts.length === 0
    ? "both have the same files"
    : `${parts.join(", ")}; ${formatBytes(transferBytes)} to transfer`;
}

if (import.meta.main) await main(program);
