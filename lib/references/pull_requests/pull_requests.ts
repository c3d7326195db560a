import * as z from "zod";
import type { Context } from "../../core/context.ts";
import { FailedError, ModelSyncError } from "../../core/errors.ts";
import type { GitHubClient } from "../../github/github_client.ts";
import { UnprocessableError } from "../../github/github_error.ts";
import { githubRequest } from "../../github/github_request.ts";
import { writeOnce } from "../../github/writes.ts";
import { type DressPart, type Marker, readMarker, withMarker } from "./marker.ts";
import type { Log } from "../../core/log.ts";

/** A repository on GitHub. */
export interface RepositoryName {
  readonly owner: string;
  readonly name: string;
}

/** The branches of pull requests, in the same repository. */
export interface PullRequestRoute extends RepositoryName {
  readonly base: string;
  readonly head: string;
}

/** The text of a pull request. */
export interface Proposal {
  readonly title: string;
  /** Markdown, without a marker. */
  readonly body: string;
  /** The digest of the content, by which the pull request is recognized. */
  readonly content: string;
}

/** A pull request to open. */
export interface NewProposal extends Proposal {
  /**
   * The parts that are added once it is open. Its body names them, so that the next run adds those that a killed run
   * did not.
   */
  readonly pending: readonly DressPart[];
}

/** The properties of a pull request. */
export interface PullRequest {
  readonly number: number;
  readonly isOpen: boolean;
  readonly isMerged: boolean;
  /** The address of its page. */
  readonly url: string;
  readonly head: string;
  readonly body: string;
  readonly marker: Marker;
}

const Branch = z.object({ ref: z.string(), repo: z.object({ id: z.number() }).nullish() });

const Answer = z.object({
  number: z.number(),
  state: z.string(),
  merged_at: z.string().nullish(),
  html_url: z.string(),
  body: z.string().nullish(),
  head: Branch,
  base: Branch,
});

const Comments = z.array(z.object({ body: z.string().nullish() }));
const Anything = z.unknown();

const READS = "pull_requests:read";
export const WRITES = "pull_requests:write";

/** A page of 50 bodies may have three megabytes. */
const PER_PAGE = 50;

/** Four pages are the two hundred newest pull requests of a branch. Older decisions no longer matter. */
const PAGES_MAX = 4;

/** A thousand comments are searched for our last one. */
const COMMENT_PAGES_MAX = 10;

/** The pull requests from one branch to another, in one repository. */
export class PullRequests {
  readonly #context: Context;
  readonly #client: GitHubClient;
  readonly route: PullRequestRoute;

  constructor(context: Context, client: GitHubClient, route: PullRequestRoute) {
    this.#context = context;
    this.#client = client;
    this.route = route;
  }

  /**
   * Returns open, closed and merged pull requests, newest first. With the same client, an unchanged answer does not
   * count towards the rate limit.
   */
  async find(): Promise<readonly PullRequest[]> {
    const { owner, base, head } = this.route;
    return await listPullRequests(
      this.#client,
      this.route,
      { state: "all", head: `${owner}:${head}`, base },
      PAGES_MAX,
    );
  }

  /**
   * Opens a pull request. If there is an open one, that is updated instead.
   *
   * @throws {FailedError} code `NOTHING_TO_PROPOSE` when the branches do not differ, `BRANCH_MISSING`; and what
   * {@link GitHubClient.send} throws
   */
  async create(
    proposal: NewProposal,
  ): Promise<{ readonly pullRequest: PullRequest; readonly outcome: "created" | "updated" }> {
    const { base, head } = this.route;
    const shownParts = shown(proposal, proposal.pending);
    const request = githubRequest((api) => api.pulls.create, {
      ...this.#repository,
      ...shownParts,
      base,
      head,
    }, {
      verb: "create",
      what: `the pull request from ${head} to ${base} in ${this.#where}`,
      needs: WRITES,
    });
    try {
      const pullRequest = await writeOnce(
        this.#context,
        async () => fromAnswer((await this.#client.send(request, Answer)).data),
        // Another pull request has other content.
        () => this.#findOpen(({ marker }) => marker.content === proposal.content),
      );
      return { pullRequest, outcome: "created" };
    } catch (error) {
      if (!(error instanceof UnprocessableError)) throw error;
      const isThere = error.reasons.some((reason) => /pull request already exists/i.test(reason));
      const existing = isThere ? await this.#findOpen(() => true) : undefined;
      if (existing === undefined) throw this.#creationError(error);
      return { pullRequest: await this.update(existing, proposal), outcome: "updated" };
    }
  }

  /** Changes the title and body of an open pull request. The caller pushes its branch. */
  async update(pullRequest: PullRequest, proposal: Proposal): Promise<PullRequest> {
    return await this.#patch("update", pullRequest, shown(proposal, pullRequest.marker.pending));
  }

  /** Records the parts that an open pull request still lacks. */
  async note(pullRequest: PullRequest, pending: readonly DressPart[]): Promise<PullRequest> {
    const body = withMarker(pullRequest.body, { ...pullRequest.marker, pending });
    return await this.#patch("update", pullRequest, { body });
  }

  /** Comments on the reason and closes the pull request, with a mark that no person closed it. */
  async close(pullRequest: PullRequest, comment: string): Promise<void> {
    await this.#commentOnce(pullRequest, comment);
    const body = withMarker(pullRequest.body, { ...pullRequest.marker, isClosedByUs: true });
    await this.#patch("close", pullRequest, { body, state: "closed" });
  }

  async #findOpen(isMeant: (pullRequest: PullRequest) => boolean): Promise<PullRequest | undefined> {
    const existing = await this.find();
    return existing.find((pullRequest) => pullRequest.isOpen && isMeant(pullRequest));
  }

  async #patch(
    verb: string,
    { number }: PullRequest,
    changes: { readonly title?: string; readonly body: string; readonly state?: "closed" },
  ): Promise<PullRequest> {
    const request = githubRequest((api) => api.pulls.update, {
      ...this.#repository,
      ...changes,
      pull_number: number,
    }, { verb, what: `the pull request ${this.#where}#${number}`, needs: WRITES, isRepeatable: true });
    return fromAnswer((await this.#client.send(request, Answer)).data);
  }

  /** If the last comment is the same, a killed run has written it. */
  async #commentOnce({ number }: PullRequest, body: string): Promise<void> {
    const find = async () => await this.#lastComment(number) === body.trim() ? true : undefined;
    const request = githubRequest((api) => api.issues.createComment, {
      ...this.#repository,
      issue_number: number,
      body,
    }, { verb: "write", what: `a comment on ${this.#where}#${number}`, needs: WRITES });
    const write = async () => {
      await this.#client.send(request, Anything);
      return true;
    };
    if (await find() === undefined) await writeOnce(this.#context, write, find);
  }

  async #lastComment(number: number): Promise<string | undefined> {
    const request = githubRequest((api) => api.issues.listComments, {
      ...this.#repository,
      issue_number: number,
      per_page: 100,
    }, { what: `the comments on ${this.#where}#${number}`, needs: READS });
    let last: string | undefined;
    const pages = this.#client.pages(request, Comments, { pagesMax: COMMENT_PAGES_MAX });
    for await (const page of pages) last = page.at(-1)?.body ?? last;
    return last?.replaceAll("\r\n", "\n").trim();
  }

  get #repository(): { readonly owner: string; readonly repo: string } {
    return { owner: this.route.owner, repo: this.route.name };
  }

  get #where(): string {
    return `${this.route.owner}/${this.route.name}`;
  }

  /** Returns the error for GitHub's reason, with a hint. */
  #creationError(error: UnprocessableError): FailedError {
    const { base, head } = this.route;
    const said = error.reasons.join("; ");
    if (/no commits between/i.test(said)) {
      return new FailedError(error.message, {
        code: "NOTHING_TO_PROPOSE",
        cause: error,
        hint:
          `${head} has no commits that ${base} does not have; delete the branch, or push the changes to propose`,
      });
    }
    const [, side] = /\b(head|base) invalid/i.exec(said) ?? [];
    if (side === undefined) return error;
    const branch = side === "head" ? head : base;
    return new FailedError(error.message, {
      code: "BRANCH_MISSING",
      cause: error,
      hint: `check that ${this.#where} has the branch ${branch}`,
    });
  }
}

/**
 * Returns the pull requests of a repository's own branches, newest first. Those of forks, whose branches may have any
 * name, are left out.
 */
export async function listPullRequests(
  client: GitHubClient,
  { owner, name }: RepositoryName,
  filter: { readonly state: "open" | "all"; readonly head?: string; readonly base?: string },
  pagesMax: number,
): Promise<readonly PullRequest[]> {
  const request = githubRequest((api) => api.pulls.list, {
    owner,
    repo: name,
    ...filter,
    sort: "created",
    direction: "desc",
    per_page: PER_PAGE,
  }, { what: `the pull requests of ${owner}/${name}`, needs: READS });
  const found: PullRequest[] = [];
  for await (const page of client.pages(request, z.array(Answer), { pagesMax, remembered: true })) {
    found.push(...page.filter(({ head, base }) => head.repo?.id === base.repo?.id).map(fromAnswer));
  }
  return found;
}

function shown(
  { title, body, content }: Proposal,
  pending: readonly DressPart[],
): { readonly title: string; readonly body: string } {
  return { title, body: withMarker(body, { content, isClosedByUs: false, pending }) };
}

function fromAnswer(answer: z.infer<typeof Answer>): PullRequest {
  const body = answer.body ?? "";
  return {
    number: answer.number,
    isOpen: answer.state === "open",
    isMerged: typeof answer.merged_at === "string",
    url: answer.html_url,
    head: answer.head.ref,
    body,
    marker: readMarker(body),
  };
}

/** Does optional work. A failure is only a warning. */
export async function orWarn(
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
  problem: string,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (signal.aborted || !(error instanceof ModelSyncError)) throw error;
    log.warn(`${problem} (${error.message})`);
  }
}
