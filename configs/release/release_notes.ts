import { plural } from "../../lib/core/format.ts";

/** A commit without its body. */
export interface Commit {
  readonly id: string;
  /** `area: what changes` */
  readonly subject: string;
}

export interface NotesOptions {
  readonly version: string;
  /** What CHANGELOG.md says about the version. */
  readonly changelog: string;
  /** The tag of the release before this one; `undefined` for the first release. */
  readonly previous: string | undefined;
  /** The commits since then, the newest first. */
  readonly commits: readonly Commit[];
  /** The address of the repository on GitHub; `undefined` where it is unknown. */
  readonly repository: string | undefined;
}

/** GitHub's limit for the notes of a release is 125,000 characters. The rest is for the changelog and the links. */
const COMMITS_CHARS_MAX = 80_000;

/** A changelog of one release that a person reads. */
const CHANGELOG_CHARS_MAX = 30_000;

/** Returns the notes of a release in Markdown: its changelog, then its commits by area. */
export function releaseNotes(options: NotesOptions): string {
  const { changelog, previous, commits, repository, version } = options;
  const parts = [
    changelog.slice(0, CHANGELOG_CHARS_MAX),
    ...(previous === undefined
      ? [`This is the first release; its history has ${plural(commits.length, "commit")}.`]
      : commitParts(commits, previous)),
    ...(repository === undefined ? [] : linkParts(repository, version, previous)),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function commitParts(commits: readonly Commit[], previous: string): string[] {
  const heading = `### ${plural(commits.length, "commit")} since ${previous}`;
  const areas = Map.groupBy(commits, ({ subject }) => areaOf(subject));
  const sorted = [...areas].sort(([a], [b]) => a < b ? -1 : 1);
  const lines = sorted.flatMap(([area, ofArea]) => ofArea.map((commit) => commitLine(area, commit)));
  const shown: string[] = [];
  let chars = 0;
  for (const line of lines) {
    chars += line.length + 1;
    if (chars > COMMITS_CHARS_MAX) break;
    shown.push(line);
  }
  const rest = lines.length - shown.length;
  return [heading, shown.join("\n"), ...(rest === 0 ? [] : [`… and ${plural(rest, "more commit")}`])];
}

/** Returns the area of `area: what changes`, or of `area, other: what changes`. */
function areaOf(subject: string): string {
  const [, area = "other"] = /^([^:\s][^:]{0,40}?)(?:, [^:]*)?: \S/.exec(subject) ?? [];
  return area;
}

function commitLine(area: string, { id, subject }: Commit): string {
  const text = area === "other" ? subject : subject.slice(subject.indexOf(": ") + 2);
  return `- **${escapeMarkdown(area)}**: ${escapeMarkdown(text)} (${id.slice(0, 12)})`;
}

/** An `@name` in a commit would notify a person, and an HTML tag would vanish. */
function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_<>[\]#|~]/g, "\\$&").replaceAll("@", "@\u200b");
}

function linkParts(repository: string, version: string, previous: string | undefined): string[] {
  const changes = previous === undefined
    ? []
    : [`All changes: ${repository}/compare/${previous}...v${version}`];
  return [
    ...changes,
    "Check an archive against the workflow that built it: " +
    `\`gh attestation verify FILE --repo ${new URL(repository).pathname.slice(1)}\``,
  ];
}
