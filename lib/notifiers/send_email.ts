import type { Transporter } from "nodemailer";
import type { Email } from "../config/sections/alerts.ts";
import { cleanLine } from "../core/clean_text.ts";
import type { Context } from "../core/context.ts";
import { AuthenticationError, osErrorCode, TransientError, UnreachableError } from "../core/errors.ts";
import { withRetry } from "../core/retry.ts";
import type { Secret } from "../core/secret.ts";
import type { AlertText } from "./alert_text.ts";
import { ALERT_RETRIES } from "./alert_retries.ts";

/** Mail servers answer within a second; some look up the client in the DNS first, which takes a few. */
const CONNECT_TIMEOUT_MS = 10_000;

/** The time between two responses: a server may scan the message for spam. */
const IDLE_TIMEOUT_MS = 20_000;

/** The length of a quoted refusal of the server. */
const SAID_CHARS_MAX = 300;

/** Errors before the server accepted anything: a retry sends no second mail. */
const CONNECTION_FAULTS = ["ECONNECTION", "ETIMEDOUT", "EDNS", "ESOCKET"];

/** The settings of a configured mail channel. */
export interface MailSettings extends Email {
  readonly host: string;
  readonly from: string;
  readonly to: string | string[];
}

/** Mails an alert as text and HTML. Needs the net permission. */
export async function sendEmail(
  context: Context,
  settings: MailSettings,
  password: Secret | undefined,
  text: AlertText,
): Promise<void> {
  await withRetry(context, ALERT_RETRIES, () => send(context, settings, password, text));
}

async function send(
  context: Context,
  settings: MailSettings,
  password: Secret | undefined,
  text: AlertText,
): Promise<void> {
  const transport = await openTransport(context, settings, password);
  try {
    await transport.sendMail({
      from: settings.from,
      to: settings.to,
      subject: text.title,
      text: plainBody(text),
      html: htmlBody(text),
      // Suppresses automatic replies (RFC 3834).
      headers: { "Auto-Submitted": "auto-generated" },
      signal: context.signal,
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw mailError(error, settings, password);
  } finally {
    transport.close();
  }
}

/**
 * Connects to the mail server and logs in, and sends nothing. Needs the net permission.
 *
 * @throws {AuthenticationError} when the server refuses the password; {@link UnreachableError} when it does not answer
 */
export async function tryMailServer(
  context: Context,
  settings: MailSettings,
  password: Secret | undefined,
): Promise<void> {
  const transport = await openTransport(context, settings, password);
  try {
    await transport.verify();
  } catch (error) {
    throw mailError(error, settings, password);
  } finally {
    transport.close();
  }
}

/** Opens a transport for one mail. */
async function openTransport(
  { host }: Context,
  settings: MailSettings,
  password: Secret | undefined,
): Promise<Transporter> {
  // Loaded only here: they take 50 ms.
  const [{ createTransport }, { Socket }] = await Promise.all([import("nodemailer"), import("node:net")]);
  const secure = settings.secure ?? settings.port === 465;
  return createTransport({
    host: settings.host,
    port: settings.port,
    secure,
    // Deno 2.6 tries only the first address of a host for a TLS connection; a plain socket tries all.
    ...(secure ? { socket: new Socket() } : {}),
    // Without a password nothing secret is sent, and local relays often have no TLS.
    requireTLS: !secure && password !== undefined && !isLoopback(settings.host),
    ...(password === undefined
      ? {}
      : { auth: { user: settings.user, pass: password.reveal() }, forceAuth: true }),
    name: host.includes(".") ? host : "[127.0.0.1]",
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    dnsTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: IDLE_TIMEOUT_MS,
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

function mailError(error: unknown, { host, port }: MailSettings, password: Secret | undefined): unknown {
  if (!(error instanceof Error)) return error;
  const code = osErrorCode(error) ?? "";
  const command = "command" in error ? error.command : undefined;
  const status = "responseCode" in error ? Number(error.responseCode) : 0;
  const said = cleanLine(error.message, {
    charsMax: SAID_CHARS_MAX,
    secrets: password === undefined ? [] : [password],
  });
  const message = `Cannot send mail by ${host}:${port}: ${said}`;
  const details = {
    code: status === 0 ? code || "MAIL_FAILED" : `SMTP_${status}`,
    cause: error,
    hint: "check host, port, user and password_env of alerts.email",
  };
  if (code === "EAUTH") return new AuthenticationError(message, details);
  const isPassing = (status >= 400 && status < 500) ||
    (CONNECTION_FAULTS.includes(code) && command === "CONN");
  return isPassing ? new TransientError(message, details) : new UnreachableError(message, details);
}

/** Returns whether the connection does not leave this machine. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host);
}

function plainBody({ title, facts }: AlertText): string {
  const width = Math.max(...facts.map(([label]) => label.length)) + 2;
  const lines = facts.map(([label, value]) => `${`${label}:`.padEnd(width)}${value}`);
  return `${title}\n\n${lines.join("\n")}\n`;
}

function htmlBody({ title, facts }: AlertText): string {
  const rows = facts.map(([label, value]) =>
    `<tr><th align="left" valign="top">${escapeHtml(label)}</th><td>${escapeHtml(value)}</td></tr>`
  );
  return `<!DOCTYPE html>\n<html lang="en"><body>\n<p><strong>${escapeHtml(title)}</strong></p>\n` +
    `<table cellpadding="4">\n${rows.join("\n")}\n</table>\n</body></html>\n`;
}

const HTML_ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => HTML_ENTITIES[char] ?? char);
}
