import type { Status } from "../wire/schema.ts";
import type { Family, Sample } from "./text_format.ts";

/** The part of a status that metrics show. */
export type ShownStatus = Pick<
  Status,
  | "current"
  | "activatedAt"
  | "next"
  | "schedules"
  | "daemons"
  | "canary"
  | "canaryFault"
  | "quarantine"
  | "quarantineFault"
  | "withdrawn"
  | "freeBytes"
>;

/** Returns the status of a store as metrics, without unknown values. */
export function statusFamilies(status: ShownStatus): Family[] {
  return [
    ...releaseFamilies(status),
    ...scheduleFamilies(status),
    canaryFamily(status),
    ...withdrawalFamilies(status),
    ...storeFamilies(status),
  ];
}

function releaseFamilies({ current, activatedAt }: ShownStatus): Family[] {
  return [
    {
      name: "model_sync_active_release_info",
      type: "gauge",
      help: "The digest of the active release.",
      samples: current === null ? [] : [{ labels: { release: current.digest }, value: 1 }],
    },
    {
      name: "model_sync_active_release_sequence",
      type: "gauge",
      help: "The sequence of the active release.",
      samples: current === null ? [] : [{ value: current.sequence }],
    },
    {
      name: "model_sync_active_release_created_timestamp_seconds",
      type: "gauge",
      help: "When the active release was created, in Unix time.",
      samples: timeSample(current?.createdAt),
    },
    {
      name: "model_sync_active_release_activated_timestamp_seconds",
      type: "gauge",
      help: "When the active release was activated, in Unix time.",
      samples: timeSample(activatedAt),
    },
  ];
}

/** Returns the schedules of running daemons. Without a daemon nothing runs, and an alert on it would never end. */
function scheduleFamilies({ next, schedules, daemons }: ShownStatus): Family[] {
  const roles = [...new Set(daemons.map(({ role }) => role))];
  return [
    {
      name: "model_sync_next_run_timestamp_seconds",
      type: "gauge",
      help: "When a daemon with the role runs next, in Unix time.",
      samples: roles.flatMap((role) => timeSample(next[role], { role })),
    },
    {
      name: "model_sync_role_paused",
      type: "gauge",
      help: "Whether the role is paused: 1 or 0.",
      samples: roles.flatMap((role) => {
        const schedule = schedules[role];
        return schedule === undefined ? [] : [{ labels: { role }, value: schedule.paused === null ? 0 : 1 }];
      }),
    },
  ];
}

/** The states of a canary. One with a verdict is over: its runs are counted as `promoted` and `rolled-back`. */
const CANARY_STATES = ["none", "watching", "paused", "unreadable"] as const;

function canaryFamily({ canary, canaryFault }: ShownStatus): Family {
  const open = canary?.status === "watching" || canary?.status === "paused" ? canary.status : "none";
  const state = canaryFault === null ? open : "unreadable";
  return {
    name: "model_sync_canary_state",
    type: "gauge",
    help: "1 for the state of the active release's canary, 0 for every other state.",
    samples: CANARY_STATES.map((one) => ({ labels: { state: one }, value: one === state ? 1 : 0 })),
  };
}

/** Returns whether the next pull rolls back from the active release; a release that an operator forced stays active. */
function withdrawalFamilies({ current, quarantineFault, withdrawn = [] }: ShownStatus): Family[] {
  const isRead = quarantineFault === null;
  const isWithdrawn = withdrawn.some(({ digest, isOverridden }) =>
    digest === current?.digest && isOverridden !== true
  );
  return [
    {
      name: "model_sync_active_release_withdrawn",
      type: "gauge",
      help:
        "Whether the publisher withdrew the active release, and no operator activated it by force: 1 or 0.",
      samples: isRead && current !== null ? [{ value: isWithdrawn ? 1 : 0 }] : [],
    },
    {
      name: "model_sync_withdrawn_releases",
      type: "gauge",
      help: "Withdrawn releases that this machine knows.",
      samples: isRead ? [{ value: withdrawn.length }] : [],
    },
  ];
}

function storeFamilies({ quarantine, quarantineFault, freeBytes }: ShownStatus): Family[] {
  return [
    {
      name: "model_sync_quarantined_releases",
      type: "gauge",
      help: "Releases in quarantine.",
      samples: quarantineFault === null ? [{ value: quarantine.length }] : [],
    },
    {
      name: "model_sync_store_free_bytes",
      type: "gauge",
      help: "Free space on the store's file system.",
      samples: freeBytes === null ? [] : [{ value: freeBytes }],
    },
  ];
}

/** Returns the sample of a time; none for a missing or invalid time. */
function timeSample(time: string | null | undefined, labels: Sample["labels"] = {}): Sample[] {
  const timeMs = Date.parse(time ?? "");
  return Number.isFinite(timeMs) ? [{ labels, value: timeMs / 1000 }] : [];
}
