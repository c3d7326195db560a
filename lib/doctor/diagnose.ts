import { gitRegistrySettings } from "../carriers/git_settings.ts";
import { givesSection, isUnconfigured, type LoadedConfig } from "../config/load.ts";
import { configuredRoles, type Role } from "../config/roles.ts";
import type { Context } from "../core/context.ts";
import { ModelSyncError, UsageError } from "../core/errors.ts";
import { absolutePath } from "../core/files.ts";
import { tokenOf } from "../core/read_secret.ts";
import { TemporaryFolder } from "../core/folders.ts";
import type { RegistrySettings } from "../git/registry_settings.ts";
import { parseRemoteUrl } from "../git/remote_url.ts";
import { githubUrls } from "../github/github_access.ts";
import { machineRoles, type MachineUse } from "../status/machine_use.ts";
import { findStore, stateDirOf, type StoreLocation } from "../store/store.ts";
import { addressProblems } from "./address_problems.ts";
import { checkCarriers } from "./carrier_checks.ts";
import { type Check, tried, triedAll, warn } from "./check.ts";
import { checkPrograms, checkRegistry, checkTokenScopes } from "./git_checks.ts";
import { checkIgnoredDotenv, checkIgnoredFile } from "./ignored_file_check.ts";
import { checkKeys } from "./key_checks.ts";
import { checkPublisher } from "./publisher_checks.ts";
import { checkSafeguards } from "./safeguard_checks.ts";
import { checkStore } from "./store_checks.ts";

/** The inputs of {@link diagnose}. */
export interface DiagnosisInput {
  readonly context: Context;
  readonly config: LoadedConfig;
  /** The model folder and its store. */
  readonly location: StoreLocation;
  /** Whether the operator named the configuration file: then no other file is looked for. */
  readonly isFileNamed: boolean;
  /** The roles that the operator wants for this machine; `undefined` if none were named. */
  readonly roles: readonly Role[] | undefined;
  readonly use: MachineUse;
}

/**
 * Runs every check that the configuration and the use of this machine call for. A check that fails does not keep the
 * others from running. Nothing is changed.
 *
 * @throws {UsageError} code `ADDRESS_INVALID` for an address in the environment that cannot be used
 */
export async function diagnose(input: DiagnosisInput): Promise<Check[]> {
  const { context, config, location, isFileNamed, use } = input;
  const { settings } = config;
  refuseAddresses(context);
  const roles = input.roles ?? machineRoles(config, use);
  return [
    ...(isFileNamed ? [] : checkIgnoredFile(context, config)),
    ...checkIgnoredDotenv(context.fs, config),
    ...await checkPrograms(context),
    ...await checkStore(context, location, settings.activation.mode, roles),
    ...await roleChecks(input),
    ...await triedAll("registry", () => registryChecks(input)),
    ...await triedAll(
      "publisher",
      () => checkPublisher(context, settings, givesSection(config, "publisher"), use, location),
    ),
    ...await triedAll(
      "keys",
      () => checkKeys(context, settings.signing, use, findStore(context.fs, location)),
    ),
    ...await triedAll("carriers", () => checkCarriers(context, settings, config.githubToken?.token, use)),
    ...await triedAll("safeguards", () => checkSafeguards(context, settings.activation, location.modelsDir)),
    ...await triedAll("alerts", () => alertChecks(input)),
    ...await triedAll("report", () => reportChecks(input)),
    ...await triedAll("references", () => referenceChecks(input)),
    ...(isUnconfigured(config) ? await triedAll("ONNX Runtime", () => installationChecks(context)) : []),
  ];
}

/** A new machine has no models yet, which would show whether the installation is complete. */
async function installationChecks(context: Context): Promise<Check[]> {
  const { checkOnnxRuntime } = await import("./onnx_check.ts");
  await using scratch = new TemporaryFolder(context.fs, "doctor");
  return [await checkOnnxRuntime(context, scratch.path)];
}

/** Returns the failures of roles whose runs lack a setting. */
async function roleChecks({ context, config, location, roles = [] }: DiagnosisInput): Promise<Check[]> {
  if (roles.length === 0) return [];
  // Loaded only here: the check reads the settings of all carriers.
  const { checkRoles, CONFIGURED_ONLY } = await import("../daemon/check_roles.ts");
  const scope = { context, config, location, settings: config.settings };
  const checks = roles.map((role) =>
    triedAll(`role ${role}`, () => {
      checkRoles(scope, [role], CONFIGURED_ONLY);
      return [];
    })
  );
  return (await Promise.all(checks)).flat();
}

/** The environment is configuration, too. @throws {UsageError} code `ADDRESS_INVALID` */
function refuseAddresses({ env }: Context): void {
  const [problem] = addressProblems(env);
  if (problem === undefined) return;
  throw new UsageError(problem, {
    code: "ADDRESS_INVALID",
    hint: "correct the variable, or unset it; model-sync config check lists every complaint",
  });
}

// The code of alerts, reports and references is loaded only where they are configured.

async function alertChecks({ context, config: { settings } }: DiagnosisInput): Promise<Check[]> {
  const { email, webhook, chat } = settings.alerts;
  if (email.host === undefined && webhook.url === undefined && chat.length === 0) return [];
  const { checkAlerts } = await import("./report_checks.ts");
  return await checkAlerts(context, settings.alerts);
}

async function reportChecks({ context, config, location }: DiagnosisInput): Promise<Check[]> {
  const { report } = config.settings;
  if ((report.url ?? report.ping.url_env ?? report.metrics_file) === undefined) return [];
  const { checkReporting } = await import("./report_checks.ts");
  const { fs } = context;
  const store = { root: stateDirOf(fs, location), modelsDir: absolutePath(fs, location.modelsDir) };
  return await checkReporting(context, report, store);
}

async function referenceChecks({ context, config: { settings } }: DiagnosisInput): Promise<Check[]> {
  if (settings.references.primary_url === undefined) return [];
  const { checkReferences } = await import("./reference_checks.ts");
  return await checkReferences(context, settings.references);
}

async function registryChecks({ context, config, location }: DiagnosisInput): Promise<Check[]> {
  if (isUnconfigured(config)) return [];
  const { settings } = config;
  try {
    await using scratch = new TemporaryFolder(context.fs, "doctor");
    const registry = gitRegistrySettings(settings, context, stateDirOf(context.fs, location));
    return [
      ...await checkRegistry(context, registry, scratch.path),
      ...await tokenChecks(context, registry, settings.token_env),
    ];
  } catch (error) {
    if (!(error instanceof ModelSyncError) || error.code !== "REPO_UNSET") throw error;
    // A machine with another carrier needs no git registry.
    return configuredRoles(settings).length > 0
      ? []
      : [warn("registry", error.message, error.hint ?? "fix it and run again")];
  }
}

/** Only GitHub says what a token may do: github.com, or the Enterprise server that the environment names. */
async function tokenChecks(
  context: Context,
  { token, repoUrl }: RegistrySettings,
  tokenVariable: string | undefined,
): Promise<Check[]> {
  const { serverUrl, apiUrl } = githubUrls(context.env);
  const isOnGitHub = repoUrl !== undefined && parseRemoteUrl(repoUrl).origin === new URL(serverUrl).origin;
  if (token === undefined || !isOnGitHub) return [];
  const name = tokenVariable ?? "the token";
  return [await tried("token", () => checkTokenScopes(context, tokenOf(token.reveal(), name), apiUrl))];
}
