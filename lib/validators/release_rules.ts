import type { ValidateSettings } from "../config/sections/validate.ts";
import { RefusedError } from "../core/errors.ts";
import { plural } from "../core/format.ts";
import { matchesAny } from "../core/wildcards.ts";
import { totalBytes } from "../release/manifest.ts";
import type { ModelFile } from "./checker.ts";
import { InvalidModelError } from "./invalid_model.ts";

const HOUR_MS = 3_600_000;

/** The rules in the configuration for a release as a whole. */
export type Rules = Pick<
  ValidateSettings,
  "required_files" | "max_file_bytes" | "max_total_bytes" | "max_shrink" | "max_growth" | "max_age_hours"
>;

/** The facts that the rules check. */
export interface RuledRelease {
  readonly files: readonly ModelFile[];
  /** When it was published, ISO 8601. */
  readonly createdAt: string;
}

/**
 * Checks a release against the rules: required files, sizes, the change in size from the active release, and age.
 *
 * @param active the active release, where there is one
 * @throws {InvalidModelError} for the first broken rule
 * @throws {RefusedError} code `RELEASE_AGE`, which may be the fault of a clock
 */
export function applyRules(
  rules: Rules,
  release: RuledRelease,
  active: Pick<RuledRelease, "files"> | undefined,
  now: Date,
): void {
  // A publish lists many files only for a rule that needs them.
  if (rules.required_files.length > 0) requireFiles(rules.required_files, release.files);
  if (rules.max_file_bytes !== undefined || rules.max_total_bytes !== undefined) {
    refuseLarge(rules, release.files);
  }
  if (active !== undefined && (rules.max_shrink !== undefined || rules.max_growth !== undefined)) {
    refuseDrift(rules, active.files, release.files);
  }
  if (rules.max_age_hours !== undefined) refuseOld(rules.max_age_hours, release.createdAt, now);
}

function requireFiles(patterns: readonly string[], files: readonly ModelFile[]): void {
  const missing = patterns.filter((pattern) => !files.some(({ path }) => matchesAny(path, [pattern])));
  if (missing.length === 0) return;
  throw new InvalidModelError(
    "",
    `no file matches ${missing.slice(0, NAMED_MAX).map((pattern) => `"${pattern}"`).join(", nor ")}${
      missing.length > NAMED_MAX ? ` (and ${missing.length - NAMED_MAX} more of required_files)` : ""
    }`,
    {
      hint: `the release has ${
        plural(files.length, "file")
      }; publish the missing ones, or change activation.validate.required_files`,
    },
  );
}

/** More names make a message unreadable. */
const NAMED_MAX = 5;

function refuseLarge(rules: Rules, files: readonly ModelFile[]): void {
  const { max_file_bytes: fileMax, max_total_bytes: totalMax } = rules;
  const large = fileMax === undefined ? undefined : files.find(({ size }) => size > fileMax);
  if (large !== undefined) {
    throw new InvalidModelError(
      large.path,
      `it is ${plural(large.size, "byte")}, max_file_bytes allows ${fileMax}`,
      {
        hint:
          "if that is intended, raise activation.validate.max_file_bytes; the active release is untouched",
      },
    );
  }
  const bytes = totalBytes(files);
  if (totalMax !== undefined && bytes > totalMax) {
    throw new InvalidModelError(
      "",
      `its files are ${plural(bytes, "byte")}, max_total_bytes allows ${totalMax}`,
      {
        hint:
          "if that is intended, raise activation.validate.max_total_bytes; the active release is untouched",
      },
    );
  }
}

function refuseDrift(rules: Rules, before: readonly ModelFile[], after: readonly ModelFile[]): void {
  const measures = [
    { what: "its number of files", unit: "", was: before.length, is: after.length },
    { what: "its size", unit: " bytes", was: totalBytes(before), is: totalBytes(after) },
  ];
  const limits = [
    { key: "max_shrink", limit: rules.max_shrink, sign: -1, word: "less" },
    { key: "max_growth", limit: rules.max_growth, sign: 1, word: "more" },
  ];
  for (const { what, unit, was, is } of measures) {
    for (const { key, limit, sign, word } of limits) {
      const difference = sign * (is - was);
      if (limit === undefined || difference <= limit * was) continue;
      throw new InvalidModelError(
        "",
        `${what} is ${is}${unit}, the active release's is ${was}${unit}: ${
          percent(difference / was)
        } ${word}, ${key} allows ${percent(limit)}`,
        { hint: `if that is intended, raise activation.validate.${key}; the active release is untouched` },
      );
    }
  }
}

function percent(fraction: number): string {
  return `${Number((fraction * 100).toFixed(1))} %`;
}

/** The limit applies to both directions, so that a clock that is wrong by less does no harm. */
function refuseOld(hoursMax: number, createdAt: string, now: Date): void {
  const hours = (now.getTime() - Date.parse(createdAt)) / HOUR_MS;
  if (Math.abs(hours) <= hoursMax) return;
  const age = hours < 0 ? `${format(-hours)} h ahead of this machine's clock` : `${format(hours)} h old`;
  throw new RefusedError(
    `Cannot activate the release: it was published at ${createdAt} and is ${age}, max_age_hours allows ${hoursMax} h`,
    {
      code: "RELEASE_AGE",
      hint: hours < 0
        ? "correct the clock of this machine or of the publisher"
        : "publish a new release, or raise activation.validate.max_age_hours; the active release is untouched",
    },
  );
}

function format(hours: number): string {
  return String(Number(hours.toFixed(hours < 1 ? 4 : 1)));
}
