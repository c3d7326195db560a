import type { AlertsSettings } from "../config/sections/alerts.ts";
import type { Context } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { FailedError, messageOf } from "../core/errors.ts";
import type { Alert, AlertEvent } from "./alert.ts";
import { type AlertMemory, decideAlert, readAlertMemory, writeAlertMemory } from "./alert_memory.ts";
import { describeAlert } from "./alert_text.ts";
import { type Channel, channelsOf } from "./channels.ts";

/** Enough for three attempts at a channel; a service manager gives a program that was stopped 90 s to end. */
const TOTAL_MS = 30_000;

/**
 * Tells all configured channels, side by side, how a run ended, where that is news. Never fails and never takes longer
 * than {@link TOTAL_MS}: what cannot be sent is a warning. Works for a run that was interrupted, too.
 *
 * @param memoryPath the file that remembers what was told; its folder exists
 */
export async function notify(
  context: Context,
  settings: AlertsSettings,
  memoryPath: string,
  event: AlertEvent,
): Promise<void> {
  try {
    await notifyChannels({ ...context, signal: new AbortController().signal }, settings, memoryPath, event);
  } catch (error) {
    // Whatever it was: the run has its outcome already.
    warn(context, "send alerts", error);
  }
}

async function notifyChannels(
  context: Context,
  settings: AlertsSettings,
  memoryPath: string,
  event: AlertEvent,
): Promise<void> {
  const channels = channelsOf(context.env, settings);
  if (channels.length === 0) return;
  const before = readAlertMemory(context.fs, memoryPath);
  const { alert, memory } = decideAlert(before, event, settings.on, context.clock.now());
  const isTold = alert === undefined || await tellAll(context, channels, alert);
  // A failure that nobody heard of is news next time.
  const isOver = memory[event.command] === undefined;
  if (memory !== before && (isTold || isOver)) remember(context, memoryPath, memory);
}

function remember(context: Context, path: string, memory: AlertMemory): void {
  try {
    writeAlertMemory(context.fs, path, memory);
  } catch (error) {
    // A full disk, as the one that was just told of.
    warn(context, "remember which alerts were sent", error);
  }
}

/** Whether anybody was told. */
async function tellAll(context: Context, channels: readonly Channel[], alert: Alert): Promise<boolean> {
  const text = describeAlert(alert);
  const tell = async (channel: Channel, signal: AbortSignal) => {
    try {
      await channel.send({ ...context, signal }, alert, text);
      return true;
    } catch (error) {
      warn(context, `send ${channel.name}`, error);
      return false;
    }
  };
  const told = await withDeadline(
    context,
    TOTAL_MS,
    tooLate,
    (signal) => Promise.all(channels.map((channel) => tell(channel, signal))),
  );
  return told.includes(true);
}

function tooLate(): FailedError {
  return new FailedError(`it took longer than ${TOTAL_MS / 1000} s`, { code: "TIMEOUT" });
}

function warn({ log }: Context, action: string, error: unknown): void {
  log.warn(`cannot ${action}: ${messageOf(error)}`);
}
