import { Hono } from "hono";
import { openApiDescription } from "../api/openapi.ts";
import type { App, AppEnv } from "../dashboard.ts";

/** `GET /api/v1/openapi.json`: what this dashboard answers to whom. It says nothing of the fleet. */
export function openApiRoutes(): App {
  let description: Record<string, unknown> | undefined;
  return new Hono<AppEnv>().get("/api/v1/openapi.json", (context) => {
    description ??= openApiDescription();
    return context.json(description, 200, { "cache-control": "public, max-age=3600" });
  });
}
