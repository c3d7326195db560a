import type { ReferencesSettings } from "../config/sections/references.ts";
import type { Context } from "../core/context.ts";
import { absolutePath } from "../core/files.ts";
import { UsageError } from "../core/errors.ts";
import { redactUrls } from "../core/secret.ts";
import { currentToken, GITHUB_TIMEOUT_MS, type GitHubToken, githubUrls } from "../github/github_access.ts";
import type { RepositoryKind } from "./categories.ts";
import { type ClonePlace, TargetRepository } from "./git/target_repository.ts";
import { fullName, type RepositoryAddress } from "./git/repository_address.ts";
import { PrimaryClient } from "./primary_client.ts";
import { readThroughProxy } from "./read_through_proxy.ts";
import type { SyncParts } from "./sync_references.ts";
import { findToken } from "../core/read_secret.ts";
import { githubCredentials, githubToken } from "../github/github_credentials.ts";

/** The parts of a sync that are not in the settings. */
export interface SyncPartsOptions {
  readonly token: GitHubToken;
  /** No clone is kept, and nothing is pushed. */
  readonly isDryRun: boolean;
  /** Whether local changes in a kept clone may be discarded. */
  readonly discardLocalChanges: boolean;
}

/** Opens the services and clones of a sync from the settings. */
export function openSyncParts(
  context: Context,
  settings: ReferencesSettings,
  { token, isDryRun, discardLocalChanges }: SyncPartsOptions,
): SyncParts & { readonly primary: PrimaryClient } {
  const { serverUrl, apiUrl } = githubUrls(context.env);
  const primary = openPrimary(context, settings);
  context.log.debug(
    `PRIMARY is ${primary.shownUrl}; GitHub is ${redactUrls(serverUrl)}, its API ${redactUrls(apiUrl)}`,
  );
  const proxy = settings.github_proxy_url_base;
  const { target_dir, temp_dir } = settings;
  // Absolute paths: git runs inside the clone and would resolve a relative path there.
  const place: ClonePlace = target_dir === undefined || isDryRun
    ? { kind: "temporary", parent: temp_dir === undefined ? undefined : absolutePath(context.fs, temp_dir) }
    : { kind: "kept", root: absolutePath(context.fs, target_dir), discardLocalChanges };
  return {
    primary,
    addressOf: (kind: RepositoryKind): RepositoryAddress =>
      kind === "image" ? settings.image_repository : settings.text_repository,
    readRemotely: proxy === undefined || !isDryRun
      ? undefined
      : (address, paths) => readThroughProxy(context, proxy, address, paths),
    openRepository: async (address) => {
      const where = place.kind === "kept" ? place.root : "a temporary folder";
      context.log.debug(
        `${fullName(address)}: fetching the branch ${address.branch} of ${
          redactUrls(serverUrl)
        } into ${where}`,
      );
      return await TargetRepository.open(context, {
        address,
        serverUrl,
        token: await currentToken(token),
        place,
      });
    },
  };
}

function openPrimary(context: Context, settings: ReferencesSettings): PrimaryClient {
  if (settings.primary_url === undefined) {
    throw new UsageError("Cannot sync references: no PRIMARY server is set", {
      code: "PRIMARY_URL_MISSING",
      hint: "to write a configuration, run model-sync init references --primary-url ADDRESS; " +
        "or set --primary-url, HORDE_GITHUB_SYNC_PRIMARY_API_URL or model_sync.references.primary_url",
    });
  }
  return new PrimaryClient(context, {
    baseUrl: settings.primary_url,
    timeoutMs: settings.primary_timeout_sec * 1000,
  });
}

/** The variables that may hold a token; the first one set is used. */
const TOKEN_NAMES = ["HORDE_GITHUB_SYNC_GITHUB_TOKEN", "GITHUB_TOKEN"];

/**
 * Returns the token of the reference sync: a GitHub App's, or the one that is set. Reading public repositories needs no
 * token, so no App token is created for a dry run.
 *
 * @throws {UsageError} the App's settings are incomplete or invalid
 */
export function referencesToken(context: Context, isProposing: boolean): GitHubToken {
  if (!isProposing) {
    const tokens = TOKEN_NAMES.map((name) => findToken(context.env, name));
    return tokens.find((token) => token !== undefined);
  }
  const credentials = githubCredentials(context, TOKEN_NAMES);
  return githubToken(context, { ...githubUrls(context.env), timeoutMs: GITHUB_TIMEOUT_MS }, credentials);
}
