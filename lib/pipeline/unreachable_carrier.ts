import { TransientError, UnreachableError } from "../core/errors.ts";

/** Codes of responses that are not the carrier's, as of a captive portal or a proxy, and of requests that were not sent. */
const OTHER_SERVER_CODES = [
  "ANSWER_INVALID",
  "HTML_PAGE",
  "CERTIFICATE_UNTRUSTED",
  "PROXY_REFUSED",
  "TLS_MISSING",
  "HUB_OFFLINE",
];

/** Whether the carrier cannot be reached or is down. A repository that does not exist is another error. */
export function isUnreachable(error: unknown): error is UnreachableError {
  return error instanceof TransientError ||
    (error instanceof UnreachableError && OTHER_SERVER_CODES.includes(error.code));
}
