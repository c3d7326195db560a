import type { Context } from "../core/context.ts";
import { FailedError } from "../core/errors.ts";
import { compareTexts, type TextState } from "./checked_text.ts";
import { runManager } from "./open_manager.ts";
import type { ManagerCommand, ManagerState, Service, ServiceManager, ServiceText } from "./service.ts";

type Outside = Pick<Context, "fs" | "spawn" | "env" | "signal" | "clock">;

/** Between two attempts of a command. */
const PAUSE_MS = 1000;

/** A text with its state on this machine. */
export interface PresentText {
  readonly text: ServiceText;
  readonly state: TextState;
}

/** What an installation or a removal does, in order. */
export interface ServicePlan {
  readonly texts: readonly PresentText[];
  /** Whether there is nothing to do. */
  readonly isDone: boolean;
  readonly commands: readonly ManagerCommand[];
}

/** Returns the texts of a service as they are on this machine. */
export async function readTexts(manager: ServiceManager): Promise<PresentText[]> {
  const texts: PresentText[] = [];
  for (const text of manager.texts) {
    texts.push({ text, state: compareTexts(await manager.read(text), text.text) });
  }
  return texts;
}

/**
 * Decides what an installation has to do. Changes nothing.
 *
 * @throws {FailedError} code `SERVICE_FOREIGN` if a text is not this program's, was edited, or is another project's
 */
export async function planInstallation(
  manager: ServiceManager,
  { name }: Service,
  force: boolean,
): Promise<ServicePlan> {
  const texts = await readTexts(manager);
  if (!force) { for (const text of texts) refuseOthers(text, name, "replace"); }
  const isCurrent = texts.every(({ state }) => state === "current");
  const state = isCurrent ? await manager.state() : undefined;
  const isDone = state?.isEnabled === true && state.isActive;
  return { texts, isDone, commands: isDone ? [] : manager.start };
}

/** Writes what is not current, then enables and starts the service. A second call completes an interrupted one. */
export async function installService(
  outside: Outside,
  manager: ServiceManager,
  plan: ServicePlan,
): Promise<void> {
  if (plan.isDone) return;
  // A unit on a machine without a running manager would start at an unexpected time.
  await runManager(outside, manager.probe);
  for (const { text, state } of plan.texts) {
    if (state !== "current") await manager.write(text);
  }
  for (const command of plan.commands) await runPatiently(outside, command);
}

async function runPatiently(outside: Outside, command: ManagerCommand): Promise<void> {
  const { attempts = 1 } = command;
  for (let attempt = 1;; attempt++) {
    try {
      await runManager(outside, command);
      return;
    } catch (error) {
      if (!(error instanceof FailedError) || attempt >= attempts) throw error;
      await outside.clock.sleep(PAUSE_MS, outside.signal);
    }
  }
}

/**
 * Decides what a removal has to do. Changes nothing.
 *
 * @throws {FailedError} code `SERVICE_FOREIGN`
 */
export async function planRemoval(
  manager: ServiceManager,
  { name }: Service,
  force: boolean,
): Promise<ServicePlan> {
  const texts = await readTexts(manager);
  if (!force) { for (const text of texts) refuseOthers(text, name, "remove"); }
  const isDone = texts.every(({ state }) => state === "missing");
  return { texts, isDone, commands: isDone ? [] : [...manager.stop, ...manager.forget] };
}

/** Stops and disables the service, and removes its texts. */
export async function removeService(
  outside: Outside,
  manager: ServiceManager,
  plan: ServicePlan,
): Promise<void> {
  if (plan.isDone) return;
  for (const command of manager.stop) await runManager(outside, command);
  for (const { text, state } of plan.texts) {
    if (state !== "missing") await manager.remove(text);
  }
  for (const command of manager.forget) await runManager(outside, command);
}

/** A service as it is on this machine. */
export interface ServiceStatus {
  readonly texts: readonly PresentText[];
  readonly state: ManagerState;
  /** Installed as it would be now, enabled, and running or waiting for its time. */
  readonly isGood: boolean;
}

/** Returns the state of a service. */
export async function readService(manager: ServiceManager): Promise<ServiceStatus> {
  const texts = await readTexts(manager);
  const state = await manager.state();
  const isCurrent = texts.every((text) => text.state === "current");
  return { texts, state, isGood: isCurrent && state.isEnabled && state.isActive };
}

const REFUSALS: Readonly<Partial<Record<TextState, (name: string) => readonly [why: string, next: string]>>> =
  {
    edited: (name) => [
      "it was edited after model-sync wrote it",
      `keep changes in a drop-in (systemctl edit ${name}), and repeat the command with --force`,
    ],
    foreign: () => [
      "model-sync did not write it",
      "name the service with --name, or repeat the command with --force",
    ],
    "another project's": () => [
      "it belongs to the service of another project",
      "name the service of this project with --name",
    ],
  };

function refuseOthers({ text, state }: PresentText, name: string, verb: "replace" | "remove"): void {
  const refusal = REFUSALS[state]?.(name);
  if (refusal === undefined) return;
  const [why, hint] = refusal;
  throw new FailedError(`Cannot ${verb} ${text.place}: ${why}`, { code: "SERVICE_FOREIGN", hint });
}
