import { createHash } from "node:crypto";
import * as z from "zod";
import { Output } from "../../../cli/_output.ts";
import { processWorld } from "../../../cli/_world.ts";
import { type Context, type Environment, neverAborted } from "../../../lib/core/context.ts";
import { AuthenticationError, messageOf } from "../../../lib/core/errors.ts";
import { Secret } from "../../../lib/core/secret.ts";
import { GITHUB_TIMEOUT_MS, githubUrls } from "../../../lib/github/github_access.ts";
import { GitHubClient } from "../../../lib/github/github_client.ts";
import { githubRequest } from "../../../lib/github/github_request.ts";
import { writeOnce } from "../../../lib/github/writes.ts";
import { outgoingHttp } from "../../../lib/http/outgoing_http.ts";
import { SUMMARY_CHARS_MAX } from "./summary.ts";
import { commandLine } from "./workflow_commands.ts";
import { writeLine } from "../../../lib/core/files.ts";

/** 2,000 comments. On a longer pull request, the run writes a new comment. */
const PAGES_MAX = 20;

const Event = z.object({ pull_request: z.object({ number: z.int() }).optional() });
const Comments = z.array(z.object({ id: z.int(), body: z.string().nullish() }));
const Anything = z.unknown();

/** The pull request and the comment's text. */
export interface WantedComment {
  readonly owner: string;
  readonly repo: string;
  readonly number: number;
  /** The first line, by which a later run finds its comment. Markdown does not show it. */
  readonly marker: string;
  readonly text: string;
}

/** Returns the marker of a command's comment. Two jobs of one pull request have two comments. */
export function markerOf(...parts: readonly string[]): string {
  const name = createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
  return `<!-- model-sync ${name} -->`;
}

/** Writes the comment, or updates the one of an earlier run. @returns what happened */
export async function writeComment(
  context: Context,
  client: GitHubClient,
  { owner, repo, number, marker, text }: WantedComment,
): Promise<"written" | "updated" | "unchanged"> {
  const where = `${owner}/${repo}#${number}`;
  const body = `${marker}\n${text.slice(0, SUMMARY_CHARS_MAX)}`.trim();
  const listed = githubRequest((api) => api.issues.listComments, {
    owner,
    repo,
    issue_number: number,
    per_page: 100,
  }, { what: `the comments on ${where}`, needs: "pull_requests:read" });
  const find = async () => {
    for await (const page of client.pages(listed, Comments, { pagesMax: PAGES_MAX })) {
      const own = page.find((comment) => comment.body?.startsWith(marker));
      if (own !== undefined) return own;
    }
    return undefined;
  };
  const purpose = { what: `the comment on ${where}`, needs: "pull_requests:write" };
  const known = await find();
  if (known === undefined) {
    const creation = githubRequest((api) => api.issues.createComment, {
      owner,
      repo,
      issue_number: number,
      body,
    }, { ...purpose, verb: "write" });
    const write = async () => {
      await client.send(creation, Anything);
      return "written" as const;
    };
    return await writeOnce(context, write, async () => await find() === undefined ? undefined : "written");
  }
  if (known.body?.replaceAll("\r\n", "\n").trim() === body) return "unchanged";
  const change = githubRequest((api) => api.issues.updateComment, {
    owner,
    repo,
    comment_id: known.id,
    body,
  }, { ...purpose, verb: "update", isRepeatable: true });
  await client.send(change, Anything);
  return "updated";
}

/** Returns the pull request of the event; `undefined` for any other event. */
function pullRequestOf(env: Environment): Pick<WantedComment, "owner" | "repo" | "number"> | undefined {
  const path = env.get("GITHUB_EVENT_PATH");
  const event = Event.parse(path === undefined ? {} : JSON.parse(Deno.readTextFileSync(path)));
  const [owner = "", repo = ""] = (env.get("GITHUB_REPOSITORY") ?? "").split("/");
  return event.pull_request && { owner, repo, number: event.pull_request.number };
}

/** Comments as the variables of a step say. @returns a line for the runner */
async function commentOn(env: Environment): Promise<string> {
  const pullRequest = pullRequestOf(env);
  if (pullRequest === undefined) {
    return commandLine("notice", "No comment was written: this run belongs to no pull request.");
  }
  const get = (name: string) => env.get(name) ?? "";
  const { log } = new Output({ json: false, logFormat: "text", level: "info" }, processWorld);
  const { fs, spawn, clock, freeBytes, host } = processWorld;
  using outgoing = outgoingHttp(processWorld.http, { env, fs, log }, env);
  const signal = neverAborted();
  const context: Context = { fs, spawn, http: outgoing.http, clock, log, env, signal, freeBytes, host };
  const token = new Secret(get("MODEL_SYNC_ACTION_TOKEN"));
  const client = await GitHubClient.open(context, {
    ...githubUrls(env),
    token,
    timeoutMs: GITHUB_TIMEOUT_MS,
  });
  const done = await writeComment(context, client, {
    ...pullRequest,
    marker: markerOf(get("GITHUB_WORKFLOW"), get("GITHUB_JOB"), get("MODEL_SYNC_ACTION_COMMAND")),
    text: Deno.readTextFileSync(get("MODEL_SYNC_ACTION_SUMMARY")),
  });
  return `The comment on pull request #${pullRequest.number} is ${done}.`;
}

/** A comment that cannot be written never fails the job: the result is in the job summary, too. */
if (import.meta.main) {
  const variables = Deno.env.toObject();
  const env: Environment = { get: (name) => variables[name], toObject: () => variables };
  try {
    writeLine(Deno.stdout, await commentOn(env));
  } catch (error) {
    const cause = error instanceof AuthenticationError
      ? "The token may not write comments. Add `permissions: pull-requests: write` to the job. " +
        "Pull requests of forks get a token that can write nothing."
      : messageOf(error);
    writeLine(
      Deno.stdout,
      commandLine("notice", `No comment was written; the result is in the job summary. ${cause}`),
    );
  }
}
