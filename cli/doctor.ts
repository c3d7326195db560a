import { buildCommand } from "@stricli/core";
import { gitRegistrySettings } from "../lib/carriers/git_settings.ts";
import type { Environment } from "../lib/core/context.ts";
import { EXIT, type ExitCode, ModelSyncError, UsageError } from "../lib/core/errors.ts";
import { tokenOf } from "../lib/core/read_secret.ts";
import { addressProblems } from "../lib/doctor/address_problems.ts";
import { givesSection } from "../lib/config/load.ts";
import { checkCarriers } from "../lib/doctor/carrier_checks.ts";
import { type Check, tried, triedAll, warn } from "../lib/doctor/check.ts";
import { checkPrograms, checkRegistry, checkTokenScopes } from "../lib/doctor/git_checks.ts";
import { checkIgnoredFile } from "../lib/doctor/ignored_file_check.ts";
import { checkKeys } from "../lib/doctor/key_checks.ts";
import { machineUse, useFor } from "../lib/doctor/machine_use.ts";
import { checkPublisher } from "../lib/doctor/publisher_checks.ts";
import { checkSafeguards } from "../lib/doctor/safeguard_checks.ts";
import { checkStore } from "../lib/doctor/store_checks.ts";
import { TemporaryFolder } from "../lib/core/folders.ts";
import { parseRemoteUrl } from "../lib/git/remote_url.ts";
import { githubUrls } from "../lib/github/github_access.ts";
import type { RegistrySettings } from "../lib/git/registry_settings.ts";
import { absolutePath } from "../lib/core/files.ts";
import { configuredRoles } from "../lib/schedule/configured_roles.ts";
import { type Role, ROLES } from "../lib/schedule/roles.ts";
import { stateDirOf } from "../lib/store/store.ts";
import { defineProgram, type Invocation, main, type Program, withSession } from "./_command.ts";
import { headingLines, headingOf, type Session } from "./_session.ts";
import { COMMON_ALIASES, COMMON_FLAGS, type CommonFlags, GIT_FLAGS, type GitFlags } from "./_options.ts";
import { SUMMARIES } from "./_help.ts";
import type { Output } from "./_output.ts";

interface DoctorFlags extends CommonFlags, GitFlags {
  readonly role?: readonly Role[];
}

export const program: Program = defineProgram(
  "doctor",
  buildCommand<DoctorFlags, [], Invocation>({
    docs: { brief: SUMMARIES.doctor },
    parameters: {
      flags: {
        ...COMMON_FLAGS,
        ...GIT_FLAGS,
        role: {
          kind: "enum",
          values: ROLES,
          variadic: ",",
          optional: true,
          brief: "the roles that this machine is meant for (default: those that it has had so far)",
        },
      },
      aliases: COMMON_ALIASES,
    },
    func: withSession(run),
  }),
);

async function run(session: Session, flags: DoctorFlags): Promise<ExitCode> {
  const { context, output, location, settings } = session;
  refuseAddresses(context.env);
  const use = flags.role === undefined ? await machineUse(context, location) : useFor(flags.role);
  const checks = [
    ...(flags.config === undefined ? checkIgnoredFile(context, session.config) : []),
    ...await checkPrograms(context),
    ...await checkStore(context, location, settings.activation.mode),
    ...await roleChecks(session, flags.role ?? []),
    ...await triedAll("registry", () => registryChecks(session)),
    ...await triedAll(
      "publisher",
      () => checkPublisher(context, settings, givesSection(session.config, "publisher"), use, location),
    ),
    ...await triedAll("keys", () => checkKeys(context, settings.signing, use)),
    ...await triedAll(
      "carriers",
      () => checkCarriers(context, settings, session.config.githubToken?.token, use),
    ),
    ...await triedAll(
      "safeguards",
      () => checkSafeguards(context, settings.activation, location.modelsDir),
    ),
    ...await triedAll("alerts", () => alertChecks(session)),
    ...await triedAll("report", () => reportChecks(session)),
    ...await triedAll("references", () => referenceChecks(session)),
  ];
  const failed = checks.some((check) => check.status === "fail");
  const heading = headingOf(session);
  const roles = flags.role ?? configuredRoles(session.settings);
  const json = { ok: !failed, ...heading, roles, checks };
  const text = () => [
    ...headingLines(session, heading),
    `roles          ${roles.join(", ") || "none is configured"}`,
    ...checks.flatMap((check) => lines(output, check)),
  ];
  output.verdict(!failed, json, text);
  return failed ? EXIT.failed : EXIT.done;
}

/** Returns the failures of roles whose runs lack a setting. */
async function roleChecks(session: Session, roles: readonly Role[]): Promise<Check[]> {
  if (roles.length === 0) return [];
  // It loads the commands of all roles.
  const { checkRoles } = await import("./_role_jobs.ts");
  const checks = roles.map((role) =>
    triedAll(`role ${role}`, () => {
      checkRoles(session, [role], {});
      return [];
    })
  );
  return (await Promise.all(checks)).flat();
}

/** What the environment says is configuration, too. @throws {UsageError} code `ADDRESS_INVALID` */
function refuseAddresses(env: Environment): void {
  const [problem] = addressProblems(env);
  if (problem === undefined) return;
  throw new UsageError(problem, {
    code: "ADDRESS_INVALID",
    hint: "correct the variable, or unset it; model-sync config check lists every complaint",
  });
}

/** Who wants no alerts need not wait until their code is loaded. */
async function alertChecks({ context, settings }: Session): Promise<Check[]> {
  const { email, webhook, chat } = settings.alerts;
  if (email.host === undefined && webhook.url === undefined && chat.length === 0) return [];
  const { checkAlerts } = await import("../lib/doctor/alert_checks.ts");
  return await checkAlerts(context, settings.alerts);
}

/** As for alerts. */
async function reportChecks({ context, settings: { report }, location }: Session): Promise<Check[]> {
  if ((report.url ?? report.ping.url_env ?? report.metrics_file) === undefined) return [];
  const { checkReporting } = await import("../lib/doctor/report_checks.ts");
  const { fs } = context;
  const store = { root: stateDirOf(fs, location), modelsDir: absolutePath(fs, location.modelsDir) };
  return await checkReporting(context, report, store);
}

/** As for alerts. */
async function referenceChecks({ context, settings }: Session): Promise<Check[]> {
  if (settings.references.primary_url === undefined) return [];
  const { checkReferences } = await import("../lib/doctor/reference_checks.ts");
  return await checkReferences(context, settings.references);
}

async function registryChecks(session: Session): Promise<Check[]> {
  const { context, settings, location } = session;
  try {
    await using scratch = new TemporaryFolder(context.fs, "doctor");
    const registry = gitRegistrySettings(settings, context, stateDirOf(context.fs, location));
    return [...await checkRegistry(context, registry, scratch.path), ...await tokenChecks(session, registry)];
  } catch (error) {
    if (!(error instanceof ModelSyncError) || error.code !== "REPO_UNSET") throw error;
    // A machine with another carrier does without.
    return configuredRoles(settings).length > 0
      ? []
      : [warn("registry", error.message, error.hint ?? "fix it and run again")];
  }
}

/** GitHub tells what a token may do; GITHUB_API_URL names another GitHub. */
async function tokenChecks({ context, settings }: Session, registry: RegistrySettings): Promise<Check[]> {
  const { token, repoUrl } = registry;
  const { serverUrl, apiUrl } = githubUrls(context.env);
  const isGitHubs = repoUrl !== undefined && parseRemoteUrl(repoUrl).origin === new URL(serverUrl).origin;
  if (token === undefined || !isGitHubs) return [];
  const variable = settings.token_env ?? "the token";
  return [await tried("token", () => checkTokenScopes(context, tokenOf(token.reveal(), variable), apiUrl))];
}

function lines(output: Output, check: Check): string[] {
  const style = { pass: "green", warn: "yellow", fail: "red" } as const;
  const mark = output.paint(style[check.status], check.status);
  const mend = check.mend === undefined ? [] : [`        ${output.paint("dim", check.mend)}`];
  return [`  ${mark}  ${check.name}: ${check.detail}`, ...mend];
}

if (import.meta.main) await main(program);
