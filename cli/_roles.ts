import { suggestion } from "../lib/config/complaints.ts";
import { UsageError } from "../lib/core/errors.ts";
import { type Role, ROLES } from "../lib/schedule/roles.ts";

/** The positional arguments of a command that acts on roles of a daemon. */
export const ROLE_ARGUMENTS = {
  kind: "array",
  parameter: { brief: `one or more of ${ROLES.join(", ")}`, placeholder: "role", parse: String },
} as const;

/**
 * Returns the roles that were typed, each once.
 *
 * @throws {UsageError} code `ROLE_UNKNOWN`
 */
export function parseRoles(typed: readonly string[]): Role[] {
  return Array.from(new Set(typed), (name) => {
    const role = ROLES.find((role) => role === name);
    if (role !== undefined) return role;
    throw new UsageError(`Cannot use the role "${name}": there is no such role${suggestion(name, ROLES)}`, {
      code: "ROLE_UNKNOWN",
      hint: `the roles are ${ROLES.join(", ")}`,
    });
  });
}
