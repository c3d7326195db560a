import type { Clock } from "../lib/core/clock.ts";
import { problem } from "./github_answers.ts";

/** A caller, with its permissions. */
export interface Caller {
  readonly login: string;
  /** `pull_requests:write` and `contents:write`. */
  readonly canWrite: boolean;
  /** `issues:write`, which creating labels needs. */
  readonly canMakeLabels: boolean;
}

/** A pull request in GitHub's format. */
export interface StoredPull {
  readonly number: number;
  readonly author: string;
  readonly createdAt: string;
  title: string;
  body: string | null;
  state: "open" | "closed";
  mergedAt: string | null;
  readonly head: string;
  readonly base: string;
  /** `null` if the fork is deleted. */
  readonly headRepository: { readonly id: number; readonly owner: string } | null;
  readonly labels: string[];
  readonly reviewers: string[];
  readonly teams: string[];
  /** The changed paths; this server has no commits. */
  readonly files: readonly string[];
  readonly comments: { readonly id: number; readonly author: string; body: string }[];
}

/** A test's settings for a repository. By default it is public, and only its owner is a collaborator. */
export interface RepositoryDetails {
  readonly isPrivate?: boolean;
  readonly collaborators?: readonly string[];
  readonly teams?: readonly string[];
  readonly labels?: readonly string[];
}

/** Returns the newest commit of a branch; `undefined` if there is no such branch. */
export type BranchSha = (
  repository: string,
  branch: string,
) => string | undefined | Promise<string | undefined>;

/** The longest body of a pull request, in characters. */
const BODY_CHARS_MAX = 65_536;

/** A repository with its pull requests and GitHub's rules for them. */
export class PullsRepository {
  readonly pulls: StoredPull[] = [];
  readonly labels: Set<string>;
  readonly isPrivate: boolean;
  readonly id: number;
  readonly owner: string;
  readonly #name: string;
  readonly #collaborators: readonly string[];
  readonly #teams: readonly string[];
  readonly #clock: Clock;
  readonly #branchSha: BranchSha;
  #comments = 0;

  constructor(
    { clock, branchSha }: { readonly clock: Clock; readonly branchSha: BranchSha },
    { id, owner, name }: { readonly id: number; readonly owner: string; readonly name: string },
    details: RepositoryDetails,
  ) {
    this.id = id;
    this.owner = owner;
    this.#name = name;
    this.#clock = clock;
    this.#branchSha = branchSha;
    this.isPrivate = details.isPrivate ?? false;
    this.labels = new Set(details.labels);
    this.#collaborators = details.collaborators ?? [];
    this.#teams = details.teams ?? [];
  }

  get fullName(): string {
    return `${this.owner}/${this.#name}`;
  }

  /** Adds a pull request, as opened by a person. */
  add(details: Partial<StoredPull> & Pick<StoredPull, "head">): StoredPull {
    const pull: StoredPull = {
      number: this.pulls.length + 1,
      author: "somebody",
      createdAt: this.#clock.now().toISOString(),
      title: "A pull request",
      body: null,
      state: "open",
      mergedAt: null,
      base: "main",
      headRepository: { id: this.id, owner: this.owner },
      labels: [],
      reviewers: [],
      teams: [],
      files: [],
      comments: [],
      ...details,
    };
    this.pulls.push(pull);
    return pull;
  }

  /** Returns pull requests as `GET /pulls` does: newest first by default. */
  list(query: URLSearchParams): readonly unknown[] {
    const state = query.get("state") ?? "open";
    const [head, base] = [query.get("head"), query.get("base")];
    const found = this.pulls.filter((pull) =>
      (state === "all" || pull.state === state) && (base === null || pull.base === base) &&
      (head === null || head === `${pull.headRepository?.owner}:${pull.head}`)
    );
    if (query.get("direction") !== "asc") found.reverse();
    return found.map((pull) => this.#record(pull));
  }

  async create(caller: Caller, body: Readonly<Record<string, unknown>>): Promise<Response> {
    const { title, head, base, body: text } = body;
    if (typeof head !== "string" || typeof base !== "string" || typeof title !== "string") {
      return invalid({ resource: "PullRequest", code: "missing_field", field: "title" });
    }
    const [baseSha, headSha] = await Promise.all([
      this.#branchSha(this.fullName, base),
      this.#branchSha(this.fullName, head),
    ]);
    if (baseSha === undefined) return invalid({ resource: "PullRequest", field: "base", code: "invalid" });
    if (headSha === undefined) return invalid({ resource: "PullRequest", field: "head", code: "invalid" });
    if (baseSha === headSha) return custom(`No commits between ${base} and ${head}`);
    if (this.pulls.some((pull) => pull.state === "open" && pull.head === head && pull.base === base)) {
      return custom(`A pull request already exists for ${this.owner}:${head}.`);
    }
    if (isTooLong(text)) return tooLong();
    const pull = this.add({
      author: caller.login,
      title,
      head,
      base,
      body: typeof text === "string" ? text : null,
    });
    return Response.json(this.#record(pull), { status: 201 });
  }

  change(pull: StoredPull, body: Readonly<Record<string, unknown>>): Response {
    const { title, body: text, state } = body;
    if (isTooLong(text)) return tooLong();
    if (state === "open" && pull.mergedAt !== null) return custom("Cannot reopen a merged pull request");
    if (typeof title === "string") pull.title = title;
    if (typeof text === "string") pull.body = text;
    if (state === "open" || state === "closed") pull.state = state;
    return Response.json(this.#record(pull));
  }

  comment(caller: Caller, pull: StoredPull, body: Readonly<Record<string, unknown>>): Response {
    if (typeof body["body"] !== "string" || body["body"].trim() === "") {
      return invalid({ resource: "IssueComment", code: "missing_field", field: "body" });
    }
    if (isTooLong(body["body"])) return tooLong();
    const comment = { id: ++this.#comments, author: caller.login, body: body["body"] };
    pull.comments.push(comment);
    return Response.json(commentRecord(comment), { status: 201 });
  }

  /** Changes the body of a comment, which keeps its author. */
  editComment(id: number, body: Readonly<Record<string, unknown>>): Response {
    const comment = this.pulls.flatMap(({ comments }) => comments).find((comment) => comment.id === id);
    if (comment === undefined) return problem(404, "Not Found");
    if (typeof body["body"] !== "string") {
      return invalid({ resource: "IssueComment", code: "missing_field", field: "body" });
    }
    if (isTooLong(body["body"])) return tooLong();
    comment.body = body["body"];
    return Response.json(commentRecord(comment));
  }

  /**
   * Creates missing labels if the caller may: GitHub requires `issues:write` since 2025, although its description does
   * not say so.
   */
  label(caller: Caller, pull: StoredPull, body: Readonly<Record<string, unknown>>): Response {
    const names = Array.isArray(body["labels"]) ? body["labels"].map(String) : [];
    const made = names.filter((name) => !this.labels.has(name));
    if (made.length > 0 && !caller.canMakeLabels) {
      return Response.json({
        message: "You do not have permission to create labels on this repository.",
        errors: [{ resource: "Repository", field: "label", code: "unauthorized" }],
      }, { status: 403 });
    }
    if (made.some((name) => name.length > 50)) {
      return invalid({ resource: "Label", code: "invalid", field: "name" });
    }
    for (const name of names) {
      this.labels.add(name);
      if (!pull.labels.includes(name)) pull.labels.push(name);
    }
    return Response.json(pull.labels.map((name) => ({ name })));
  }

  requestReview(pull: StoredPull, body: Readonly<Record<string, unknown>>): Response {
    const [users, teams] = ["reviewers", "team_reviewers"].map((key) => {
      const names = body[key];
      return Array.isArray(names) ? names.map(String) : [];
    });
    if (users?.includes(pull.author)) {
      return problem(422, "Review cannot be requested from pull request author.");
    }
    const isKnown = users?.every((name) => this.#collaborators.includes(name)) &&
      teams?.every((name) => this.#teams.includes(name));
    if (!isKnown) {
      return problem(
        422,
        "Reviews may only be requested from collaborators. One or more of the users or teams you specified is " +
          `not a collaborator of the ${this.fullName} repository.`,
      );
    }
    for (const name of users ?? []) if (!pull.reviewers.includes(name)) pull.reviewers.push(name);
    for (const name of teams ?? []) if (!pull.teams.includes(name)) pull.teams.push(name);
    return Response.json(this.#record(pull), { status: 201 });
  }

  #record(pull: StoredPull): Record<string, unknown> {
    const { number, head, base, headRepository } = pull;
    return {
      id: this.id * 1000 + number,
      number,
      state: pull.state,
      title: pull.title,
      body: pull.body,
      user: { login: pull.author },
      html_url: `https://github.com/${this.fullName}/pull/${number}`,
      created_at: pull.createdAt,
      merged_at: pull.mergedAt,
      labels: pull.labels.map((name) => ({ name })),
      head: {
        ref: head,
        label: `${headRepository?.owner ?? "unknown"}:${head}`,
        repo: headRepository === null ? null : { id: headRepository.id },
      },
      base: { ref: base, label: `${this.owner}:${base}`, repo: { id: this.id, full_name: this.fullName } },
    };
  }
}

/** A changed file in GitHub's format. */
export function fileRecord(filename: string): Record<string, unknown> {
  return { filename, status: "modified" };
}

/** A comment in GitHub's format. */
export function commentRecord({ id, author, body }: StoredPull["comments"][number]): Record<string, unknown> {
  return { id, user: { login: author }, body };
}

function isTooLong(text: unknown): boolean {
  return typeof text === "string" && text.length > BODY_CHARS_MAX;
}

function tooLong(): Response {
  return custom(`body is too long (maximum is ${BODY_CHARS_MAX} characters)`);
}

function custom(message: string): Response {
  return invalid({ resource: "PullRequest", code: "custom", message });
}

/** GitHub's form of a 422. */
function invalid(error: Readonly<Record<string, string>>): Response {
  return Response.json({
    message: "Validation Failed",
    errors: [error],
    documentation_url: "https://docs.github.com/rest/pulls/pulls#create-a-pull-request",
    status: "422",
  }, { status: 422 });
}
