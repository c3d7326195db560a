import type { Context } from "../../../lib/core/context.ts";
import { Secret } from "../../../lib/core/secret.ts";
import { GitHubClient } from "../../../lib/github/github_client.ts";
import { type Dress, dress, type Dressed } from "../../../lib/references/pull_requests/dress.ts";
import { type PullRequestRoute, PullRequests } from "../../../lib/references/pull_requests/pull_requests.ts";
import type { PullsRepository, RepositoryDetails } from "../../../fakes/github_pulls_repository.ts";
import { GitHubPullsServer } from "../../../fakes/github_pulls_server.ts";
import { TOKEN } from "../../../fakes/github_server.ts";
import { QuickClock } from "../../helpers/fake_clock.ts";
import { testContext } from "../../helpers/test_context.ts";

/** The repository of a {@link PullsWorld}. */
export const REGISTRY = { owner: "you", name: "registry" };

/** Longer than any test. */
const NEVER_MS = 24 * 3_600_000;

/** A GitHub on loopback with one repository and named branches, and a clock that skips pauses. */
export class PullsWorld implements AsyncDisposable {
  readonly clock = new QuickClock("2026-11-21T00:00:00Z");
  readonly context = testContext({ clock: this.clock });
  readonly branches = new Map([["main", "1".repeat(40)], ["model-sync/references", "2".repeat(40)]]);
  readonly github = new GitHubPullsServer(this.clock, (_repository, branch) => this.branches.get(branch));
  readonly repository: PullsRepository;

  constructor(details: RepositoryDetails = {}) {
    this.repository = this.github.addRepository(`${REGISTRY.owner}/${REGISTRY.name}`, details);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.github[Symbol.asyncDispose]();
  }

  async client(changed: Partial<Context> = {}, isSignedIn = true): Promise<GitHubClient> {
    return await GitHubClient.open({ ...this.context, ...changed }, {
      apiUrl: this.github.apiUrl,
      serverUrl: "https://github.com",
      token: isSignedIn ? new Secret(TOKEN) : undefined,
      timeoutMs: NEVER_MS,
    });
  }

  async open(route: PullRequestRoute, isSignedIn = true): Promise<PullRequests> {
    return new PullRequests(this.context, await this.client({}, isSignedIn), route);
  }

  /** A new pull request with labels, reviewers and text. */
  async dress(route: PullRequestRoute, wanted: Dress): Promise<Dressed> {
    const pulls = await this.open(route);
    const { pullRequest } = await pulls.create({
      title: "Sync",
      body: "One.",
      content: "sha256:aa",
      pending: [],
    });
    return await dress(this.context, await this.client(), route, pullRequest, wanted);
  }
}
