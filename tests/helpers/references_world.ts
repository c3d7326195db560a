import { join } from "node:path";
import { Secret } from "../../lib/core/secret.ts";
import { GitHubClient } from "../../lib/github/github_client.ts";
import { NO_STEPS } from "../../lib/pipeline/current_run.ts";
import { type Category, References } from "../../lib/config/sections/references.ts";
import { openSyncParts } from "../../lib/references/open_sync_parts.ts";
import type { ProposalOptions } from "../../lib/references/proposal.ts";
import { type SyncMode, syncReferences, type SyncReport } from "../../lib/references/sync_references.ts";
import type { PullsRepository, RepositoryDetails } from "../../fakes/github_pulls_repository.ts";
import { GitHubPullsServer } from "../../fakes/github_pulls_server.ts";
import { TOKEN } from "../../fakes/github_server.ts";
import { startGitServer } from "../../fakes/git_server.ts";
import { startPrimary } from "../../fakes/primary_server.ts";
import { QuickClock } from "./fake_clock.ts";
import { memoryDir, type TempDir, writeFiles } from "./temp_dir.ts";
import { fixedEnvironment, testContext } from "./test_context.ts";
import { bareRepository, clone, commitAll, git } from "./test_git.ts";

export const IMAGES = "Haidra-Org/AI-Horde-image-model-reference";
export const TEXTS = "Haidra-Org/AI-Horde-text-model-reference";

/** Longer than any test. */
const NEVER_MS = 24 * 3_600_000;

type Files = Readonly<Record<string, string>>;

/** One of the two repositories: on the git host, in GitHub's API, and as a person's clone. */
interface TargetWorld {
  readonly bare: string;
  /** A person's clone. */
  readonly person: string;
  readonly pulls: PullsRepository;
}

/** A test's changes of a sync. */
export interface SyncChanges extends Partial<ProposalOptions> {
  readonly categories?: readonly Category[];
  readonly mode?: "dry-run" | "timestamped" | { readonly outputDir: string | undefined };
  readonly targetDir?: string;
  readonly discardLocalChanges?: boolean;
  readonly signal?: AbortSignal;
}

/** A PRIMARY server, a GitHub with the two repositories of reference files, and a clock that skips pauses. */
export class ReferencesWorld implements AsyncDisposable {
  readonly clock: QuickClock = new QuickClock("2026-11-21T06:30:00Z");
  readonly primary = startPrimary();
  readonly github: GitHubPullsServer;
  readonly git;
  readonly images: TargetWorld;
  readonly texts: TargetWorld;
  readonly #dir: TempDir;
  readonly context = testContext({ clock: this.clock });

  /**
   * @param dir a folder on the disk, if Deno processes have to access it
   * @param images the possible reviewers in the repository of images
   */
  constructor(
    { dir = memoryDir(), images = {} }: { readonly dir?: TempDir; readonly images?: RepositoryDetails } = {},
  ) {
    this.#dir = dir;
    const root = join(dir.path, "srv");
    this.github = new GitHubPullsServer(
      this.clock,
      (repository, branch) => branchSha(root, repository, branch),
    );
    this.git = startGitServer({ root, token: (token) => this.github.accepts(token), isPublic: true });
    this.images = this.#addTarget(root, IMAGES, images);
    this.texts = this.#addTarget(root, TEXTS, {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.primary[Symbol.asyncDispose](), this.git[Symbol.asyncDispose]()]);
    this.#dir[Symbol.dispose]();
    await this.github[Symbol.asyncDispose]();
  }

  /** A folder for the files of a test. */
  get scratch(): string {
    return join(this.#dir.path, "scratch");
  }

  /** The variables that point a command to these servers. */
  get env(): Record<string, string> {
    return {
      GITHUB_API_URL: this.github.apiUrl,
      GITHUB_SERVER_URL: this.git.origin,
      HORDE_GITHUB_SYNC_PRIMARY_API_URL: this.primary.origin,
      HORDE_GITHUB_SYNC_GITHUB_TOKEN: TOKEN,
      HORDE_GITHUB_SYNC_SYNC_TEMP_DIR: this.scratch,
    };
  }

  /** Commits files to the base branch of a repository. @returns the commit */
  commit({ person }: TargetWorld, files: Files, message = "a change by hand"): string {
    git(person, "fetch", "--quiet", "origin");
    if (git(person, "branch", "--remotes") !== "") {
      git(person, "checkout", "--quiet", "-B", "main", "origin/main");
    }
    writeFiles(person, files);
    return commitAll(person, message);
  }

  /** Commits files to another branch like a reviewer. @returns the commit */
  edit({ person }: TargetWorld, branch: string, files: Files): string {
    git(person, "fetch", "--quiet", "origin");
    git(person, "checkout", "--quiet", "-B", branch, `origin/${branch}`);
    writeFiles(person, files);
    git(person, "commit", "--quiet", "--all", "--message", "a reviewer's edit");
    git(person, "push", "--quiet", "origin", branch);
    return git(person, "rev-parse", "HEAD");
  }

  /** Returns the bytes of a file of a branch on the git host. */
  read({ bare }: TargetWorld, branch: string, path: string): string {
    const { stdout } = new Deno.Command("git", { args: ["-C", bare, "show", `${branch}:${path}`] })
      .outputSync();
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(stdout);
  }

  head({ bare }: TargetWorld, branch: string): string | undefined {
    return branchSha(bare, "", branch);
  }

  async sync(changes: SyncChanges = {}): Promise<SyncReport> {
    const { categories = [], mode, targetDir, discardLocalChanges = false, signal, ...proposal } = changes;
    const context = {
      ...this.context,
      env: fixedEnvironment(this.env),
      ...(signal === undefined ? {} : { signal }),
    };
    const settings = References.parse({
      primary_url: this.primary.origin,
      // Longer than the pauses that the clock skips.
      primary_timeout_sec: 600,
      temp_dir: this.scratch,
      target_dir: targetDir,
    });
    const isDryRun = mode === "dry-run";
    const parts = openSyncParts(context, settings, {
      token: mode === "dry-run" || typeof mode === "object" ? undefined : new Secret(TOKEN),
      isDryRun,
      discardLocalChanges,
    });
    return await syncReferences(context, parts, {
      run: NO_STEPS,
      categories,
      mode: await this.#mode(mode),
      proposal: {
        format: "keep",
        branch: "model-sync/references",
        labels: ["automated", "sync", "ready-for-review"],
        reviewers: [],
        team: undefined,
        changesMin: 1,
        maxShrink: 0.5,
        allowShrink: false,
        primaryUrl: this.primary.origin,
        ...proposal,
      },
    });
  }

  async #mode(mode: SyncChanges["mode"]): Promise<SyncMode> {
    if (mode === "dry-run") return { kind: "dry-run" };
    if (typeof mode === "object") return { kind: "offline", ...mode };
    const access = { apiUrl: this.github.apiUrl, serverUrl: this.git.origin, timeoutMs: NEVER_MS };
    const client = await GitHubClient.open(this.context, { ...access, token: new Secret(TOKEN) });
    return { kind: "propose", client, style: mode ?? "fixed" };
  }

  #addTarget(root: string, name: string, details: RepositoryDetails): TargetWorld {
    const bare = bareRepository(join(root, `${name}.git`));
    git(bare, "config", "uploadpack.allowFilter", "true");
    git(bare, "config", "http.receivepack", "true");
    return {
      bare,
      person: clone(bare, join(this.#dir.path, "person", name)),
      pulls: this.github.addRepository(name, details),
    };
  }
}

function branchSha(root: string, repository: string, branch: string): string | undefined {
  const folder = repository === "" ? root : join(root, `${repository}.git`);
  const { success, stdout } = new Deno.Command("git", {
    args: ["-C", folder, "rev-parse", "--verify", "--quiet", `refs/heads/${branch}`],
  }).outputSync();
  return success ? new TextDecoder().decode(stdout).trim() : undefined;
}
