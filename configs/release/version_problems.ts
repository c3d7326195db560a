/** A version of https://semver.org: three numbers, and perhaps a pre-release and build metadata. */
const SEMANTIC_VERSION =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][\dA-Za-z-]*))*)?(?:\+[\dA-Za-z-]+(?:\.[\dA-Za-z-]+)*)?$/;

/** What has to agree before a release. */
export interface ReleaseFacts {
  /** The tag, such as `v0.1.0`; `undefined` before it exists. */
  readonly tag: string | undefined;
  /** The version in `deno.json`. */
  readonly version: string;
  /** The text of CHANGELOG.md. */
  readonly changelog: string;
}

/**
 * Returns why a release cannot be made, in sentences; an empty list if it can.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { versionProblems } from "./version_problems.ts";
 * const facts = { version: "0.1.0", changelog: "## 0.1.0\n\n- first\n" };
 * assert.deepEqual(versionProblems({ ...facts, tag: "v0.1.0" }), []);
 * assert.equal(versionProblems({ ...facts, tag: "v0.2.0" }).length, 1);
 * ```
 */
export function versionProblems({ tag, version, changelog }: ReleaseFacts): string[] {
  const section = changelogSection(changelog, version);
  return [
    ...(SEMANTIC_VERSION.test(version)
      ? []
      : [`deno.json has the version ${version}, which is not a semantic version such as 1.2.3`]),
    ...(version.includes("+")
      ? [`deno.json has the version ${version}: an image's tag cannot contain build metadata`]
      : []),
    ...(tag === undefined || tag === `v${version}`
      ? []
      : [`The tag is ${tag}, but deno.json has the version ${version}: the tag has to be v${version}`]),
    ...(section === undefined ? [`CHANGELOG.md has no heading "## ${version}"`] : []),
    ...(section === "" ? [`CHANGELOG.md has nothing below the heading of ${version}`] : []),
  ];
}

/** Returns what CHANGELOG.md says about a version, without its heading; `undefined` without a heading. */
export function changelogSection(changelog: string, version: string): string | undefined {
  const lines = changelog.split(/\r?\n/);
  const isHeading = (line: string) => line.startsWith("## ");
  // `## 1.2.3`, `## [1.2.3] - 2026-11-30`
  const start = lines.findIndex((line) =>
    isHeading(line) && line.slice(3).trim().split(/\s/)[0]?.replace(/^\[(.*)\]$/, "$1") === version
  );
  if (start === -1) return undefined;
  const end = lines.findIndex((line, index) => index > start && isHeading(line));
  return lines.slice(start + 1, end === -1 ? undefined : end).join("\n").trim();
}
