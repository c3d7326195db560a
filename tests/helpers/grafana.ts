import * as z from "zod";

const Panel = z.object({
  id: z.number(),
  type: z.string(),
  title: z.string(),
  gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});

/** The used part of a dashboard of Grafana, in its classic model. */
export const GrafanaDashboard = z.object({
  panels: z.array(Panel),
  templating: z.object({
    list: z.array(
      z.object({
        name: z.string(),
        current: z.object({ value: z.unknown() }),
        definition: z.string().optional(),
      }),
    ),
  }),
});
export type GrafanaDashboard = z.infer<typeof GrafanaDashboard>;

/** Returns the queries of a dashboard in PromQL, with the titles of their panels. */
export function grafanaQueries(
  { panels }: GrafanaDashboard,
): { readonly title: string; readonly expr: string }[] {
  return panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
}
