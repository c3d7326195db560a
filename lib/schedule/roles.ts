import type { ModelSync } from "../config/schema.ts";
import { type Calendar, everyMinutes, parseCalendar } from "./calendar.ts";

/** What a daemon can do, in the words of its first users; each is one command, again and again. */
export const ROLES = [
  "publisher",
  "client",
  "runpod_client",
  "artifact_client",
  "huggingface_client",
] as const;
export type Role = (typeof ROLES)[number];

/**
 * When a role's job is due.
 *
 * @param at instead of what the configuration says
 * @throws {RangeError} when `at` is no schedule
 */
export function roleCalendar(role: Role, settings: ModelSync, at?: string): Calendar {
  if (at !== undefined) return parseCalendar(at, settings.time_zone);
  if (role === "artifact_client") return everyMinutes(settings.artifacts.interval_minutes);
  return parseCalendar(settings[role].schedule, settings.time_zone);
}
