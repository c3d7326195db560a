import { basename, join } from "node:path";
import type { Role } from "../config/roles.ts";
import type { Context } from "../core/context.ts";
import { findText, UnusableFileError } from "../core/files.ts";
import { listFolder } from "../core/folders.ts";
import { readMark, type ServiceChoices } from "./checked_text.ts";
import { cronBlockNames, findCronBlock } from "./cron_block.ts";
import { ownerOf } from "./describe_services.ts";
import { readCrontab, type Scope, TEXT_BYTES_MAX, unitFolder } from "./open_manager.ts";
import type { ServiceKind } from "./service.ts";

type Outside = Pick<Context, "fs" | "spawn" | "env" | "signal">;

/** A service that `service install` wrote, as its texts describe it. */
export interface InstalledService {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly choices: ServiceChoices;
}

/**
 * Returns the services of a project that are installed, by name. Needs read permission, and runs `crontab` for cron.
 *
 * @throws {UsageError} code `HOME_UNKNOWN`
 */
export async function findInstalled(
  outside: Outside,
  kind: ServiceKind,
  scope: Scope,
  project: string,
): Promise<InstalledService[]> {
  const texts = kind === "cron" ? await cronTexts(outside, scope, project) : unitTexts(outside, kind, scope);
  const found = new Map<string, InstalledService>();
  for (const { name, text } of texts) {
    const mark = readMark(text);
    if (mark?.project !== project || mark.roles === undefined) continue;
    found.set(name, { name, roles: mark.roles, choices: mark.choices });
  }
  return [...found.values()].sort((one, other) => one.name < other.name ? -1 : 1);
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** A timer has two files of one name. */
const UNIT_FILE = /\.(?:service|timer|plist)$/;

function unitTexts(outside: Outside, kind: "systemd" | "launchd", scope: Scope): NamedText[] {
  const folder = unitFolder(outside, kind, scope);
  return (listFolder(outside.fs, folder) ?? []).flatMap(({ name: file, isFile }) => {
    if (!isFile || !UNIT_FILE.test(file)) return [];
    const text = readUnit(outside, join(folder, file));
    return text === undefined ? [] : [{ name: basename(file).replace(UNIT_FILE, ""), text }];
  });
}

/** Files of other programs may be unreadable for this user. */
function readUnit({ fs }: Outside, path: string): string | undefined {
  try {
    return findText(fs, path, TEXT_BYTES_MAX);
  } catch (error) {
    if (error instanceof UnusableFileError || error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

async function cronTexts(outside: Outside, scope: Scope, project: string): Promise<NamedText[]> {
  const account = scope.name === "user" ? undefined : ownerOf(outside.fs, project);
  const crontab = await readCrontab(outside, account);
  return cronBlockNames(crontab).map((name) => ({ name, text: findCronBlock(crontab, name) ?? "" }));
}
