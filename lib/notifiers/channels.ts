import type { AlertsSettings, Chat } from "../config/sections/alerts.ts";
import type { Context, Environment } from "../core/context.ts";
import { AuthenticationError, UsageError } from "../core/errors.ts";
import { knock } from "../http/knock.ts";
import { absenceOf, findPassword } from "../core/read_secret.ts";
import { Secret } from "../core/secret.ts";
import { parseWebAddress } from "../http/web_address.ts";
import type { AlertMessage } from "./alert_message.ts";
import { ALERT_REQUEST_TIMEOUT_MS } from "./alert_retries.ts";
import { sendChat } from "./send_chat.ts";
import { type MailSettings, sendEmail, tryMailServer } from "./send_email.ts";
import { sendWebhook } from "./send_webhook.ts";

/** One way to those who are told. Looks for its secrets itself, so that one that is missing keeps no other silent. */
export interface Channel {
  /** For messages. */
  readonly name: string;
  /** How alerts travel, in a few words without addresses: `by e-mail`. */
  readonly way: string;
  /** Tells it from every other channel; may hold a secret. */
  readonly identity: string;
  send(context: Context, message: AlertMessage): Promise<void>;
  /**
   * Whether an alert would arrive; sends none.
   *
   * @returns what was found, for people
   * @throws {ModelSyncError} when it would not
   */
  look(context: Context): Promise<string>;
}

/** The channels that are configured. */
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
    look: async (context) => {
      await tryMailServer(context, settings, password());
      const { host, port, user = "mail" } = settings;
      return `mail by ${host}:${port}: the server takes ${user}; no mail is sent to try it`;
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
    look: async (context) => {
      secret();
      return await lookAtPost(context, "webhook", url);
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
    look: async (context) => await lookAtPost(context, type, address().reveal()),
  };
}

async function lookAtPost(context: Context, channel: string, url: string): Promise<string> {
  const host = await knock(context, url, `the address of the ${channel}`, ALERT_REQUEST_TIMEOUT_MS);
  return `${channel}: ${host} answers; nothing is posted to try it`;
}

function requireSecret(env: Environment, variable: string): Secret {
  const secret = findPassword(env, variable);
  if (secret !== undefined) return secret;
  throw new AuthenticationError(`the variable ${variable} ${absenceOf(env, variable)}`, {
    code: "SECRET_MISSING",
    hint: `set ${variable} in the environment or in .env`,
  });
}

/** Whatever is in the variable instead may be a secret, too. */
function chatAddress(env: Environment, variable: string): Secret {
  const address = requireSecret(env, variable);
  const text = address.reveal();
  if (parseWebAddress(text) !== undefined) return address;
  throw new UsageError(`what ${variable} holds is not an http address`, {
    code: "ADDRESS_INVALID",
    hint: `put the address of the channel's incoming webhook into ${variable}`,
  });
}
