import * as z from "zod";
import { GROUPS, STATES } from "../fleet/node_view.ts";
import { PAGE_ROWS_MAX } from "../store/page_range.ts";
import type { Denial } from "../access/refusals.ts";
import { FAILURES } from "./failures.ts";

/** The largest page: a fleet of the size that pages are designed for. */
const NODES_MAX = 1_000;
/** Longer than any name of a node. */
const NAME_CHARS_MAX = 600;

function limit(max: number, usual: number) {
  return z.coerce.number().int().min(1).max(max).default(usual).meta({ description: "Entries of a page" });
}

export const FleetQuery = z.object({
  group: z.enum(GROUPS).optional().meta({ description: "Only nodes of this group" }),
  state: z.enum([...STATES, "trouble"]).optional().meta({
    description: "Only nodes in this state; `trouble`: only nodes that need an operator",
  }),
  q: z.string().max(NAME_CHARS_MAX).default("").meta({
    description: "A part of a name, a host, a role or a release",
  }),
  limit: limit(NODES_MAX, 200),
  cursor: z.string().max(NAME_CHARS_MAX).optional().meta({
    description: "`next` of the page before: the name of its last node",
  }),
});

export const NodeQuery = z.object({
  limit: limit(PAGE_ROWS_MAX, 50),
  before: z.string().optional().meta({
    description: "`older` of the page before, or a time in ISO 8601, in UTC",
  }),
});

export const RunQuery = z.object({
  node: z.string().max(NAME_CHARS_MAX).optional().meta({
    description: "The node, where several have a run of this id",
  }),
});

export const BadgeQuery = z.object({
  show: z.enum(["state", "release"]).default("state").meta({
    description: "Show the state or the active release",
  }),
});

export const LiveQuery = z.object({
  since: z.string().optional().meta({
    description: "The `version` that the reader has; the header `Last-Event-ID` takes precedence",
  }),
});

/** Returns the parsed query of a request, or a denial. Unknown parameters are ignored. */
export function parseQuery<Schema extends z.ZodType>(
  schema: Schema,
  query: Readonly<Record<string, string>>,
): { readonly query: z.infer<Schema> } | Denial {
  const parsed = schema.safeParse(query);
  if (parsed.success) return { query: parsed.data };
  const [issue] = parsed.error.issues;
  return FAILURES.query(
    `Cannot read the query: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "invalid"}`,
    "see the parameters in /api/v1/openapi.json",
  );
}
