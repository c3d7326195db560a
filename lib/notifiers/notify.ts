import type { AlertsSettings } from "../config/sections/alerts.ts";
import type { Context, Environment } from "../core/context.ts";
import { withDeadline } from "../core/deadline.ts";
import { AuthenticationError, FailedError, UsageError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { type Alert, type AlertEvent, alertId } from "./alert.ts";
import { type AlertMemory, decideAlert, readAlertMemory, writeAlertMemory } from "./alert_memory.ts";
import { type AlertText, describeAlert } from "./alert_text.ts";
import { sendChat } from "./send_chat.ts";
import { sendEmail } from "./send_email.ts";
import { sendWebhook } from "./send_webhook.ts";

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
  log.warn(`cannot ${action}: ${error instanceof Error ? error.message : String(error)}`);
}

interface Channel {
  readonly name: string;
  /** Looks for its secrets itself, so that one that is missing keeps no other channel from being told. */
  send(context: Context, alert: Alert, text: AlertText): Promise<void>;
}

function channelsOf(env: Environment, { email, webhook, chat }: AlertsSettings): Channel[] {
  const channels: Channel[] = [];
  const { host, from, to } = email;
  if (host !== undefined && from !== undefined && to !== undefined) {
    channels.push({
      name: "the alert by e-mail",
      send: async (context, _alert, text) => {
        const password = email.password_env === undefined
          ? undefined
          : requireSecret(env, email.password_env);
        await sendEmail(context, { ...email, host, from, to }, password, text);
      },
    });
  }
  const { url, secret_env } = webhook;
  if (url !== undefined) {
    channels.push({
      name: "the alert by webhook",
      send: async (context, alert) => await sendWebhook(context, url, requireSecret(env, secret_env), alert),
    });
  }
  for (const { type, url, url_env } of chat) {
    channels.push({
      name: `the alert to ${type}`,
      send: async (context, alert, text) => {
        const address = url === undefined ? chatAddress(env, url_env) : new Secret(url);
        await sendChat(context, type, address, alertId(alert), text);
      },
    });
  }
  return channels;
}

function requireSecret(env: Environment, variable: string): Secret {
  const value = env.get(variable);
  if (value !== undefined && value !== "") return new Secret(value);
  throw new AuthenticationError(`the variable ${variable} is not set`, { code: "SECRET_MISSING" });
}

/** Whatever is in the variable instead may be a secret, too. */
function chatAddress(env: Environment, variable = ""): Secret {
  const address = requireSecret(env, variable);
  const text = address.reveal();
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return address;
  throw new UsageError(`what ${variable} holds is not an http address`, { code: "ADDRESS_INVALID" });
}
