import type { Context } from "hono";
import type { AccessEnv } from "./visit.ts";

/**
 * Returns the fields of a form that a page of the dashboard sent; `undefined` for a body of another type. The guard has
 * bounded the body.
 */
export async function formFields(c: Context<AccessEnv>): Promise<URLSearchParams | undefined> {
  const type = (c.req.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase();
  return type === "application/x-www-form-urlencoded" ? new URLSearchParams(await c.req.text()) : undefined;
}
