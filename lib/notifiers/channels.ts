import type { AlertsSettings, Chat } from "../config/sections/alerts.ts";
import type { Context, Environment } from "../core/context.ts";
import { UsageError } from "../core/errors.ts";
import { sha256Hex } from "../core/hash.ts";
import { probeServer } from "../http/probe_server.ts";
import { requirePassword } from "../core/read_secret.ts";
import { Secret } from "../core/secret.ts";
import { parseWebAddress } from "../http/web_address.ts";
import type { AlertMessage } from "./alert_message.ts";
import { ALERT_REQUEST_TIMEOUT_MS } from "./alert_retries.ts";
import { sendChat } from "./send_chat.ts";
import { type MailSettings, sendEmail, tryMailServer } from "./send_email.ts";
import { sendWebhook } from "./send_webhook.ts";

/** A channel of alerts. It reads its secrets itself, so that a missing one does not affect other channels. */
export interface Channel {
  /** The name for log messages: `the alert by e-mail`. */
  readonly name: string;
  /** The kind of channel for people, without addresses: `by e-mail`. */
  readonly way: string;
  /** Identifies the channel; may hold a secret. */
  readonly identity: string;
  send(context: Context, message: AlertMessage): Promise<void>;
  /**
   * Checks that an alert would arrive. Sends none.
   *
   * @returns the result, for people
   * @throws {ModelSyncError} when an alert would not arrive
   */
  check(context: Context): Promise<string>;
}

/** The digits of a channel's key: enough to distinguish some channels. */
const KEY_CHARS = 16;

/** Returns the key under which the progress of a channel is stored. It is a hash: the identity may hold a secret. */
export async function channelKey({ identity }: Channel): Promise<string> {
  return (await sha256Hex(identity)).slice(0, KEY_CHARS);
}

/** Returns the configured channels. */
export function channelsOf(env: Environment, { email, webhook, chat }: AlertsSettings): Channel[] {
  const { host, from, to } = email;
  const { url, secret_env } = webhook;
  return [
    ...(host === undefined || from === undefined || to === undefined
      ? []
      : [emailChannel(env, { ...email, host, from, to })]),
    ...(url === undefined ? [] : [webhookChannel(env, url, secret_env)]),
    ...chat.map((settings) => chatChannel(env, settings)),
  ];
}

function emailChannel(env: Environment, settings: MailSettings): Channel {
  const password = () =>
    settings.password_env === undefined ? undefined : requireSecret(env, settings.password_env);
  return {
    name: "the alert by e-mail",
    way: "by e-mail",
    identity: ["email", settings.host, settings.to].flat().join(" "),
    send: async (context, { text }) => await sendEmail(context, settings, password(), text),
    check: async (context) => {
      await tryMailServer(context, settings, password());
      const { host, port, user = "mail" } = settings;
      return `mail by ${host}:${port}: the server accepts ${user}; no mail was sent to try it`;
    },
  };
}

function webhookChannel(env: Environment, url: string, variable: string): Channel {
  const secret = () => requireSecret(env, variable);
  return {
    name: "the alert by webhook",
    way: "by webhook",
    identity: `webhook ${url}`,
    send: async (context, message) => await sendWebhook(context, url, secret(), message),
    check: async (context) => {
      secret();
      return await checkPost(context, "webhook", url);
    },
  };
}

function chatChannel(env: Environment, { type, url, url_env = "" }: Chat): Channel {
  const address = () => url === undefined ? chatAddress(env, url_env) : new Secret(url);
  return {
    name: `the alert to ${type}`,
    way: `to ${type}`,
    identity: `${type} ${url ?? url_env}`,
    send: async (context, { id, text }) => await sendChat(context, type, address(), id, text),
    check: async (context) => await checkPost(context, type, address().reveal()),
  };
}

async function checkPost(context: Context, channel: string, url: string): Promise<string> {
  const host = await probeServer(context, url, `the address of the ${channel}`, ALERT_REQUEST_TIMEOUT_MS);
  return `${channel}: ${host} answers; nothing was posted to try it`;
}

function requireSecret(env: Environment, variable: string): Secret {
  return requirePassword(env, variable, { failure: "", code: "SECRET_MISSING" });
}

/** Returns the address in a variable. Another value is not shown: it may be a secret. */
function chatAddress(env: Environment, variable: string): Secret {
  const address = requireSecret(env, variable);
  const text = address.reveal();
  if (parseWebAddress(text) !== undefined) return address;
  throw new UsageError(`the value of ${variable} is not an http address`, {
    code: "ADDRESS_INVALID",
    hint: `put the address of the channel's incoming webhook into ${variable}`,
  });
}
