import * as z from "zod";
import type { ReferencesSettings } from "../config/sections/references.ts";
import { isoSeconds } from "../core/clock.ts";
import type { Context } from "../core/context.ts";
import { GITHUB_TIMEOUT_MS, githubUrls } from "../github/github_access.ts";
import { GitHubClient } from "../github/github_client.ts";
import { githubRequest } from "../github/github_request.ts";
import { fullName, type RepositoryAddress } from "../references/git/repository_address.ts";
import { PrimaryClient } from "../references/primary_client.ts";
import { referencesToken } from "../references/open_sync_parts.ts";
import { type Check, pass, tried, triedRemote, warn, withinAnswerTime } from "./check.ts";

/** GitHub reports no permissions to Apps. */
const Repository = z.object({ permissions: z.object({ push: z.boolean() }).optional() });

/**
 * Checks that the configured reference sync can work: the PRIMARY server answers, and the token has write access to the
 * repositories. Changes nothing, except that an App requests a token. Needs net permission.
 */
export async function checkReferences(context: Context, settings: ReferencesSettings): Promise<Check[]> {
  const { primary_url, primary_timeout_sec, image_repository, text_repository, dry_run, no_pr } = settings;
  if (primary_url === undefined) return [];
  const primary = await triedRemote(context, "primary", async (bounded) => {
    const client = new PrimaryClient(bounded, {
      baseUrl: primary_url,
      timeoutMs: primary_timeout_sec * 1000,
    });
    const changed = await client.lastUpdated();
    return changed === null
      ? pass("primary", `${client.shownUrl} answers; it has recorded no change so far`)
      : pass("primary", `${client.shownUrl} answers; last change ${isoSeconds(new Date(changed * 1000))}`);
  });
  // One client for both repositories: an App then requests one token.
  const repositories = await withinAnswerTime(context, async (bounded) => {
    const github = openGitHub(bounded, !dry_run && !no_pr);
    return await Promise.all(
      [image_repository, text_repository].map((address) =>
        tried(fullName(address), async () => await checkRepository(await github, address))
      ),
    );
  });
  return [primary, ...repositories];
}

interface GitHub {
  readonly client: GitHubClient;
  readonly isSignedIn: boolean;
}

async function openGitHub(context: Context, isProposing: boolean): Promise<GitHub> {
  const token = referencesToken(context, isProposing);
  const access = { ...githubUrls(context.env), token, timeoutMs: GITHUB_TIMEOUT_MS };
  return { client: await GitHubClient.open(context, access), isSignedIn: token !== undefined };
}

async function checkRepository({ client, isSignedIn }: GitHub, address: RepositoryAddress): Promise<Check> {
  const { owner, name } = address;
  const request = githubRequest((api) => api.repos.get, { owner, repo: name }, {
    what: fullName(address),
    needs: "metadata:read",
  });
  const { data } = await client.send(request, Repository);
  const check = fullName(address);
  if (!isSignedIn) {
    return warn(check, "can be read; no token is set", "set GITHUB_TOKEN; a dry run needs none");
  }
  return data.permissions?.push === false
    ? warn(check, "can be read, but not written to", "give the token contents:write and pull_requests:write")
    : pass(check, data.permissions === undefined ? "can be read" : "can be written to");
}
