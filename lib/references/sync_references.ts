import { join } from "node:path";
import type { Context } from "../core/context.ts";
import { FailedError, ModelSyncError } from "../core/errors.ts";
import { replaceFile } from "../core/replace_file.ts";
import { plural } from "../core/format.ts";
import type { GitHubClient } from "../github/github_client.ts";
import type { Steps } from "../pipeline/current_run.ts";
import { CATEGORIES, type Category } from "../config/sections/references.ts";
import { placeOf, type RepositoryKind } from "./categories.ts";
import type { TargetRepository } from "./git/target_repository.ts";
import { fullName, type RepositoryAddress } from "./git/repository_address.ts";
import type { JsonObject } from "./json/json_value.ts";
import type { CategoryPlan, FileTexts } from "./plan.ts";
import { planCategory } from "./plan_category.ts";
import type { PrimaryClient } from "./primary_client.ts";
import type { Proposal, ProposalOptions, RepositoryPlans } from "./proposal.ts";
import { propose } from "./propose.ts";
import { proposeTimestamped } from "./propose_timestamped.ts";
import { readPrimaryRecords, refuseForeignRecords } from "./read_records.ts";
import { type OfflineRendering, PATCH_NAME, renderOffline } from "./render_offline.ts";
import { refuseShrink } from "./shrink.ts";

/** The way in which a sync handles changes. */
export type SyncMode =
  /** Only shows them. */
  | { readonly kind: "dry-run" }
  /** Writes them to a folder, and commits them in the clone to the branch for proposals. */
  | { readonly kind: "offline"; readonly outputDir: string | undefined }
  | { readonly kind: "propose"; readonly client: GitHubClient; readonly style: "fixed" | "timestamped" };

export interface SyncOptions {
  /** Measures the steps of the sync. */
  readonly run: Steps;
  /** The categories that the user named; empty for all with a file. */
  readonly categories: readonly Category[];
  readonly mode: SyncMode;
  readonly proposal: ProposalOptions;
}

/** The services and clones of a sync. */
export interface SyncParts {
  readonly primary: Pick<PrimaryClient, "records">;
  readonly addressOf: (kind: RepositoryKind) => RepositoryAddress;
  /** Reads reference files without a clone; `undefined` to read them from the clone. */
  readonly readRemotely:
    | ((address: RepositoryAddress, paths: readonly string[]) => Promise<FileTexts>)
    | undefined;
  readonly openRepository: (address: RepositoryAddress) => Promise<TargetRepository>;
}

/** The result for a category. */
export type CategoryReport =
  & { readonly category: Category; readonly repository: string }
  & (
    | { readonly status: "compared"; readonly plan: CategoryPlan }
    /** The repository has no file for the category. */
    | { readonly status: "no-reference-file" }
    | { readonly status: "failed"; readonly error: unknown }
  );

/** The result for a repository. */
export type RepositoryReport =
  & { readonly repository: string }
  & (
    /** Nothing was done: there are no changes, it is a dry run, or there are too few changes. */
    | { readonly kind: "shown" | "below-threshold"; readonly changes: number }
    | ({ readonly kind: "written"; readonly changes: number } & OfflineRendering)
    | ({ readonly kind: "proposed" } & Proposal)
    | { readonly kind: "failed"; readonly changes: number; readonly error: unknown }
  );

export interface SyncReport {
  readonly categories: readonly CategoryReport[];
  readonly repositories: readonly RepositoryReport[];
  /** The patch of an offline rendering. */
  readonly patchPath: string | undefined;
}

/**
 * Compares the records of a PRIMARY server with the reference files of the repositories, and proposes the changes in
 * one pull request for each repository. Failures of a category or repository are in the report, which the caller shows;
 * the others continue.
 * Needs net permission, and read, write and run permission for clones.
 *
 * @throws the signal's reason when it is aborted
 */
export async function syncReferences(
  context: Context,
  parts: SyncParts,
  options: SyncOptions,
): Promise<SyncReport> {
  await using clones = new Clones(parts, comparedCategories(options));
  const looked = await options.run.step("compare", () => lookAtAll(context, parts, clones, options));
  const repositories: RepositoryReport[] = [];
  for (const kind of ["image", "text"] as const) {
    const compared = looked.flatMap((report) =>
      report.status === "compared" && placeOf(report.category).repository === kind ? [report] : []
    );
    if (compared.length === 0) continue;
    const plans = compared.map(({ plan }) => plan);
    const primary = new Map(
      compared.flatMap(({ category, records }) =>
        records === undefined ? [] : [[category, records] as const]
      ),
    );
    repositories.push(
      await options.run.step(
        "propose",
        () => settleRepository(context, parts, clones, kind, plans, primary, options),
      ),
    );
  }
  const patchPath = writePatch(context, options.mode, repositories);
  return { categories: looked.map(({ records: _records, ...report }) => report), repositories, patchPath };
}

/** Returns the categories that a sync compares. */
function comparedCategories({ categories }: SyncOptions): readonly Category[] {
  return categories.length === 0
    ? CATEGORIES
    : CATEGORIES.filter((category) => categories.includes(category));
}

/**
 * The clones of a sync. Each is created once, when it is first needed, with the files of all its categories; a failure is
 * repeated at each use.
 */
class Clones implements AsyncDisposable {
  readonly #parts: SyncParts;
  readonly #categories: readonly Category[];
  readonly #opened = new Map<RepositoryKind, Promise<TargetRepository>>();

  constructor(parts: SyncParts, categories: readonly Category[]) {
    this.#parts = parts;
    this.#categories = categories;
  }

  open(kind: RepositoryKind): Promise<TargetRepository> {
    const known = this.#opened.get(kind);
    if (known !== undefined) return known;
    const opening = this.#open(kind);
    this.#opened.set(kind, opening);
    return opening;
  }

  async #open(kind: RepositoryKind): Promise<TargetRepository> {
    await using resources = new AsyncDisposableStack();
    const repository = resources.use(await this.#parts.openRepository(this.#parts.addressOf(kind)));
    const places = this.#categories.map(placeOf).filter(({ repository }) => repository === kind);
    await repository.fetch(repository.base, places.flatMap(({ paths }) => paths));
    resources.move();
    return repository;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const result of await Promise.allSettled(this.#opened.values())) {
      if (result.status === "fulfilled") await result.value[Symbol.asyncDispose]();
    }
  }
}

type LookedAt = CategoryReport & { readonly records?: JsonObject };

async function lookAtAll(
  context: Context,
  parts: SyncParts,
  clones: Clones,
  options: SyncOptions,
): Promise<LookedAt[]> {
  const isNamed = options.categories.length > 0;
  const looked: LookedAt[] = [];
  for (const category of comparedCategories(options)) {
    looked.push(await lookAt(context, parts, clones, category, isNamed, options.proposal));
  }
  return looked;
}

async function lookAt(
  context: Context,
  parts: SyncParts,
  clones: Clones,
  category: Category,
  isNamed: boolean,
  { format, maxShrink, allowShrink }: ProposalOptions,
): Promise<LookedAt> {
  const { repository: kind, paths } = placeOf(category);
  const address = parts.addressOf(kind);
  const about = { category, repository: fullName(address) };
  try {
    const files = paths.length === 0
      ? new Map<string, string>()
      : await readFiles(parts, clones, kind, paths);
    const [path] = paths;
    if (path === undefined || !files.has(path)) {
      if (isNamed) throw noFile(category, path, about.repository);
      return { ...about, status: "no-reference-file" };
    }
    const records = readPrimaryRecords(category, await parts.primary.records(category));
    const plan = planCategory(category, records, files, about.repository, { format, keep: new Set() });
    // A record that a row can hold has a number of parameters, so it is a text model's.
    refuseForeignRecords(category, records, kind === "image" ? plan.changes : plan.skipped);
    if (!allowShrink) refuseShrink(plan, maxShrink);
    const { primary, files: held } = plan.counts;
    context.log.debug(
      `${category}: PRIMARY has ${plural(primary, "record")}, ${path} of ${about.repository} has ${held}`,
    );
    for (const warning of plan.warnings) context.log.warn(`${category}: ${warning}`);
    context.log.info(`${category}: ${describe(plan)}`);
    return { ...about, status: "compared", plan, records };
  } catch (error) {
    throwIfOurs(context, error);
    return { ...about, status: "failed", error };
  }
}

async function readFiles(
  parts: SyncParts,
  clones: Clones,
  kind: RepositoryKind,
  paths: readonly string[],
): Promise<FileTexts> {
  if (parts.readRemotely !== undefined) return await parts.readRemotely(parts.addressOf(kind), paths);
  const repository = await clones.open(kind);
  return await repository.read(repository.base, paths);
}

function describe({ changes }: CategoryPlan): string {
  if (changes.length === 0) return "no changes";
  const count = (kind: string) => changes.filter((change) => change.kind === kind).length;
  return `${plural(changes.length, "change")} (${count("added")} added, ${count("removed")} removed, ${
    count("modified")
  } modified)`;
}

async function settleRepository(
  context: Context,
  parts: SyncParts,
  clones: Clones,
  kind: RepositoryKind,
  plans: readonly CategoryPlan[],
  primary: ReadonlyMap<Category, JsonObject>,
  { mode, proposal }: SyncOptions,
): Promise<RepositoryReport> {
  const address = parts.addressOf(kind);
  const repository = fullName(address);
  const changes = plans.reduce((sum, plan) => sum + plan.changes.length, 0);
  try {
    if (mode.kind === "dry-run") {
      const isEnough = changes === 0 || changes >= proposal.changesMin;
      return { repository, kind: isEnough ? "shown" : "below-threshold", changes };
    }
    const looked: RepositoryPlans = { repository: await clones.open(kind), plans, primary };
    if (mode.kind === "offline") {
      if (changes === 0) return { repository, kind: "shown", changes };
      const rendering = await renderOffline(context, looked, proposal.branch, mode.outputDir);
      return { repository, kind: "written", changes, ...rendering };
    }
    const proposeIn = mode.style === "fixed" ? propose : proposeTimestamped;
    const proposed = await proposeIn(context, mode.client, looked, proposal);
    return { repository, kind: "proposed", ...proposed };
  } catch (error) {
    throwIfOurs(context, error);
    return { repository, kind: "failed", changes, error };
  }
}

/** One patch for both repositories: their files have different names. */
function writePatch(
  { fs }: Context,
  mode: SyncMode,
  repositories: readonly RepositoryReport[],
): string | undefined {
  if (mode.kind !== "offline" || mode.outputDir === undefined) return undefined;
  const patches = repositories.flatMap((report) => report.kind === "written" ? [report.patch] : []);
  if (patches.length === 0) return undefined;
  const path = join(mode.outputDir, PATCH_NAME);
  replaceFile(fs, path, patches.join(""));
  return path;
}

function noFile(category: Category, path: string | undefined, repository: string): FailedError {
  return new FailedError(
    `Cannot sync ${category}: ${
      path === undefined ? "no target repository has a file for it" : `${repository} has no ${path}`
    }`,
    { code: "NO_REFERENCE_FILE", hint: "omit it from --categories, or add the file to the repository" },
  );
}

/** An interruption ends the whole sync, and so does a bug of ours. */
function throwIfOurs({ signal }: Context, error: unknown): void {
  if (signal.aborted) throw signal.reason;
  if (!(error instanceof ModelSyncError)) throw error;
}
