/**
 * The lines and files with which a step talks to the runner:
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
 */

/** Returns a line that the runner carries out, such as `::error title=x::message`. */
export function commandLine(name: string, message: string, title?: string): string {
  const property = title === undefined ? "" : ` title=${escapeProperty(title)}`;
  return `::${name}${property}::${escapeData(message)}`;
}

function escapeData(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** The lines before and after text that the runner only shows. */
export interface Fence {
  readonly start: string;
  readonly end: string;
}

/**
 * Returns the lines around text that the runner only shows. Without them, a line of a model's name or a server's answer
 * that begins with `::` would be a command.
 *
 * @param token no text may contain it: random
 */
export function shownOnly(token: string): Fence {
  return { start: commandLine("stop-commands", token), end: `::${token}::` };
}

/** Returns an output for the file of `GITHUB_OUTPUT`. @param delimiter no value may contain it: random */
export function outputLines(name: string, value: string, delimiter: string): string {
  return `${name}<<${delimiter}\n${value}\n${delimiter}\n`;
}

/** The end of a variable's name whose value is a secret. A name such as `HF_TOKEN_ENV` only names another variable. */
const SECRET_NAME =
  /(?:token|secret|passw(?:or)?d|passphrase|api_?key|access_?key|private_?key|deploy_hook|webhook_url|webhook)$/i;

/** Masking shorter values would hide parts of ordinary words. */
const SECRET_CHARS_MIN = 8;

/** Returns the values of the variables that hold secrets. A secret from the output of a step is not masked by GitHub. */
export function secretValues(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).flatMap(([name, value]) => {
    const isSecret = SECRET_NAME.test(name) && value.trim().length >= SECRET_CHARS_MIN;
    return isSecret ? [value] : [];
  });
}
