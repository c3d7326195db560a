import * as z from "zod";
import type { Context } from "../../core/context.ts";
import { messageAndHint, ModelSyncError } from "../../core/errors.ts";
import type { GitHubClient } from "../../github/github_client.ts";
import { type GitHubRequest, githubRequest } from "../../github/github_request.ts";
import { DRESS_PARTS, type DressPart } from "./marker.ts";
import { type PullRequest, type RepositoryName, WRITES } from "./pull_requests.ts";

/** The labels and reviewers of new pull requests. */
export interface Dress {
  readonly labels: readonly string[];
  /** Login names. */
  readonly reviewers: readonly string[];
  /** `organization/team`, or only the team. */
  readonly team: string | undefined;
}

/** Returns the configured parts. */
export function wantedParts({ labels, reviewers, team }: Dress): readonly DressPart[] {
  const isWanted = { labels: labels.length > 0, reviewers: reviewers.length > 0, team: team !== undefined };
  return DRESS_PARTS.filter((part) => isWanted[part]);
}

/** The result of {@link dress}. */
export interface Dressed {
  readonly warnings: readonly string[];
  /** Parts to retry: GitHub did not answer, or the token was invalid. A refused part is not retried. */
  readonly pending: readonly DressPart[];
}

/**
 * Adds labels to a pull request and requests reviews. After that, people manage both. A failure does not affect the
 * pull request. GitHub creates labels that do not exist.
 *
 * @throws the signal's reason, nothing else
 */
export async function dress(
  context: Pick<Context, "signal">,
  client: GitHubClient,
  { owner, name }: RepositoryName,
  { number }: Pick<PullRequest, "number">,
  { labels, reviewers, team }: Dress,
  parts: readonly DressPart[] = DRESS_PARTS,
): Promise<Dressed> {
  const what = `${owner}/${name}#${number}`;
  const repository = { owner, repo: name };
  const label: Part = {
    names: labels,
    request: (names) =>
      githubRequest((api) => api.issues.addLabels, {
        ...repository,
        issue_number: number,
        labels: [...names],
      }, {
        verb: "label",
        what: `${what} with ${names.join(", ")}`,
        needs: `${WRITES} (and issues:write to make labels that do not exist yet)`,
        isRepeatable: true,
      }),
  };
  const review = (key: "reviewers" | "team_reviewers", names: readonly string[]): Part => ({
    names,
    request: (names) =>
      githubRequest((api) => api.pulls.requestReviewers, {
        ...repository,
        pull_number: number,
        [key]: [...names],
      }, {
        verb: "request",
        what: `a review of ${what} from ${names.join(", ")}`,
        needs: WRITES,
        isRepeatable: true,
      }),
  });
  const teams = [team?.split("/").at(-1) ?? ""].filter((slug) => slug !== "");
  const requests = {
    labels: label,
    reviewers: review("reviewers", reviewers),
    team: review("team_reviewers", teams),
  };
  const warnings: string[] = [];
  const pending: DressPart[] = [];
  for (const part of parts) {
    const errors = await give(context, client, requests[part]);
    warnings.push(...errors.map(messageAndHint));
    if (errors.some(({ code }) => !REFUSALS.includes(code))) pending.push(part);
  }
  return { warnings, pending };
}

/** Names that are sent in one request, or one at a time. */
interface Part {
  readonly names: readonly string[];
  readonly request: (names: readonly string[]) => GitHubRequest;
}

/**
 * Answers of GitHub that do not change with another attempt: no permission, an unknown pull request, an unknown name.
 */
const REFUSALS: readonly string[] = ["HTTP_403", "HTTP_404", "HTTP_422"];

/** Sends all names in one request. If GitHub refuses one of them, each is sent separately. */
async function give(
  context: Pick<Context, "signal">,
  client: GitHubClient,
  { names, request }: Part,
): Promise<readonly ModelSyncError[]> {
  if (names.length === 0) return [];
  try {
    await client.send(request(names), z.unknown());
    return [];
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ModelSyncError)) throw error;
    if (names.length === 1 || !["HTTP_403", "HTTP_422"].includes(error.code)) return [error];
  }
  const errors: ModelSyncError[] = [];
  for (const name of names) errors.push(...await give(context, client, { names: [name], request }));
  return errors;
}
