import { resolve } from "node:path";
import type { ReferencesSettings } from "../config/sections/references.ts";
import type { Context } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { redactUrls } from "../core/secret.ts";
import { currentToken, type GitHubToken, githubUrls } from "../github/github_access.ts";
import type { RepositoryKind } from "./categories.ts";
import { type ClonePlace, TargetRepository } from "./git/target_repository.ts";
import { fullName, type RepositoryAddress } from "./git/repository_address.ts";
import { PrimaryClient } from "./primary_client.ts";
import { readThroughProxy } from "./read_through_proxy.ts";
import type { SyncParts } from "./sync_references.ts";

/** What a sync is made of besides the settings. */
export interface SyncPartsOptions {
  readonly token: GitHubToken;
  /** Nothing is kept or pushed. */
  readonly isDryRun: boolean;
  /** Whether a kept clone may lose changes that were never pushed. */
  readonly discardLocalChanges: boolean;
}

/** Opens the outside world of a sync as the settings describe it. */
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
  // Whole paths: git runs inside the clone, and would look for a relative one there.
  const place: ClonePlace = target_dir === undefined || isDryRun
    ? { kind: "temporary", parent: temp_dir === undefined ? undefined : resolve(temp_dir) }
    : { kind: "kept", root: resolve(target_dir), discardLocalChanges };
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
    throw new UsageError("Cannot sync references: no PRIMARY server is named", {
      code: "PRIMARY_URL_MISSING",
      hint: "set --primary-url, HORDE_GITHUB_SYNC_PRIMARY_API_URL or model_sync.references.primary_url",
    });
  }
  return new PrimaryClient(context, {
    baseUrl: settings.primary_url,
    timeoutMs: settings.primary_timeout_sec * 1000,
  });
}
