import { z } from "zod";
import { parseCalendar } from "../../schedule/calendar.ts";

/** Where descriptions are kept. Unlike `describe`, `register` makes no copy of a schema, which every start would wait for. */
export const DOCS = z.globalRegistry;

/** A time of day, or a cron expression of five fields. */
export const Schedule = z.string().refine(isSchedule, {
  error: (issue) =>
    `"${
      String(issue.input)
    }" is neither a time of day such as "06:00" nor a cron expression such as "*/15 * * * *"`,
});

/** A folder inside a repository or an archive: relative, no climbing, and not the whole of it. */
export const RepoFolder = z.string().refine(
  (path) =>
    path.split("/").every((part) => !["", ".", "..", ".git"].includes(part.toLowerCase())) &&
    !path.includes("\\"),
  { error: "must be a folder inside the repository, such as models or prod/models" },
);

export const EnvName = z.string().regex(
  /^[A-Za-z_][A-Za-z0-9_]*$/,
  "must be the name of an environment variable",
);

/** The address of a server; credentials in it would be shown with it. */
export const WebAddress = z.string().refine(isWebAddress, {
  error: "must be an http address without a user or password in it",
});

function isWebAddress(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "";
}

function isSchedule(text: string): boolean {
  try {
    parseCalendar(text, undefined);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
