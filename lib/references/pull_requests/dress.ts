import { z } from "zod";
import type { Context } from "../../core/context.ts";
import { ModelSyncError } from "../../core/errors.ts";
import type { GitHubClient, GitHubRequest } from "../../github/github_client.ts";
import { type PullRequest, type RepositoryName, WRITES } from "./pull_requests.ts";

/** What a new pull request gets besides its words. */
export interface Dress {
  readonly labels: readonly string[];
  /** Login names. */
  readonly reviewers: readonly string[];
  /** `organisation/team`, or the team alone. */
  readonly team: string | undefined;
}

/**
 * Gives a new pull request its labels and asks for reviews; later both are left to people. None of it is worth losing
 * the pull request over. A label that does not exist comes into being, as GitHub makes them when they are used.
 *
 * @returns what did not work, for warnings
 * @throws the signal's reason, nothing else
 */
export async function dress(
  context: Pick<Context, "signal">,
  client: GitHubClient,
  { owner, name }: RepositoryName,
  { number }: PullRequest,
  { labels, reviewers, team }: Dress,
): Promise<readonly string[]> {
  const what = `${owner}/${name}#${number}`;
  const label: Part = {
    names: labels,
    request: (names) => ({
      route: "POST /repos/{owner}/{repo}/issues/{issue_number}/labels",
      parameters: { owner, repo: name, issue_number: number, labels: names },
      verb: "label",
      what: `${what} with ${names.join(", ")}`,
      needs: `${WRITES} (and issues:write to make labels that do not exist yet)`,
      isRepeatable: true,
    }),
  };
  const review = (key: "reviewers" | "team_reviewers", names: readonly string[]): Part => ({
    names,
    request: (names) => ({
      route: "POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers",
      parameters: { owner, repo: name, pull_number: number, [key]: names },
      verb: "request",
      what: `a review of ${what} from ${names.join(", ")}`,
      needs: WRITES,
      isRepeatable: true,
    }),
  });
  const teams = [team?.split("/").at(-1) ?? ""].filter((slug) => slug !== "");
  const warnings: string[] = [];
  for (const part of [label, review("reviewers", reviewers), review("team_reviewers", teams)]) {
    warnings.push(...await give(context, client, part));
  }
  return warnings;
}

/** Names that are sent in one request, or one by one. */
interface Part {
  readonly names: readonly string[];
  readonly request: (names: readonly string[]) => GitHubRequest;
}

/** All at once; where GitHub does not want that, because of one of them, each by itself. */
async function give(
  context: Pick<Context, "signal">,
  client: GitHubClient,
  { names, request }: Part,
): Promise<readonly string[]> {
  if (names.length === 0) return [];
  try {
    await client.ask(request(names), z.unknown());
    return [];
  } catch (error) {
    if (context.signal.aborted || !(error instanceof ModelSyncError)) throw error;
    if (names.length === 1 || !["HTTP_403", "HTTP_422"].includes(error.code)) return [warningOf(error)];
  }
  const warnings: string[] = [];
  for (const name of names) warnings.push(...await give(context, client, { names: [name], request }));
  return warnings;
}

function warningOf({ message, hint }: ModelSyncError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}
