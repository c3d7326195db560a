import type { Source } from "../lib/carriers/carrier.ts";
import { configuredRoles, type Role, ROLE_COMMANDS } from "../lib/config/roles.ts";
import { TemporaryFolder } from "../lib/core/folders.ts";
import { readRemote, type RemoteRelease } from "../lib/pipeline/read_remote.ts";
import type { Carrier } from "../lib/release/manifest.ts";
import type { Store } from "../lib/store/store.ts";
import type { Need, Session } from "./_session.ts";

/** A role that pulls releases which can be looked up. */
export type RemoteRole = "client" | "artifact_client" | "huggingface_client";

interface RemoteKind {
  readonly carrier: Carrier;
  readonly need: Need;
  /** Opens its source as a dry run does. The code is loaded only when it is needed. */
  readonly open: (session: Session, store: Store | undefined, scratch: string) => Promise<Source>;
}

const REMOTES: Readonly<Record<RemoteRole, RemoteKind>> = {
  client: {
    carrier: "git",
    need: "run",
    open: async (session, store, scratch) =>
      (await import("./pull.ts")).openPreview(
        session,
        { allowDirtyWorktree: true },
        store,
        scratch,
        "look-up",
      ),
  },
  artifact_client: {
    carrier: "github-actions",
    need: "net",
    open: async (session, _store, scratch) =>
      (await import("./artifact_pull.ts")).openPreview(session, {}, scratch),
  },
  huggingface_client: {
    carrier: "huggingface",
    need: "net",
    // A person waits: an unreachable hub is given up soon.
    open: async (session, store) =>
      (await import("./hf_pull.ts")).openPreview(session, { offlineOk: true }, store),
  },
};

/** Returns the configured roles whose newest release can be looked up. A RunPod job has none until it is trained. */
export function remoteRoles({ settings }: Session): RemoteRole[] {
  return configuredRoles(settings).filter(isRemote);
}

function isRemote(role: Role): role is RemoteRole {
  return Object.hasOwn(REMOTES, role);
}

/** Returns the carrier of a role. */
export function carrierOf(role: RemoteRole): Carrier {
  return REMOTES[role].carrier;
}

/** Returns the command that pulls what a role looks up. */
export function pullingCommand(role: RemoteRole): string {
  return ROLE_COMMANDS[role];
}

/** Gives up what the carriers of the roles do not need. */
export function narrowToRemotes({ permissions }: Session, roles: readonly RemoteRole[]): void {
  const needed = new Set(roles.map((role) => REMOTES[role].need));
  for (const name of ["net", "run"] as const) if (!needed.has(name)) permissions.giveUp(name);
}

/** Returns the newest release of a role's source. Changes nothing. */
export async function lookUp(
  session: Session,
  store: Store | undefined,
  role: RemoteRole,
): Promise<RemoteRelease> {
  await using scratch = new TemporaryFolder(session.context.fs, "remote");
  await using source = await REMOTES[role].open(session, store, scratch.path);
  return await readRemote(store, source);
}
