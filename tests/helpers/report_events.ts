import fc from "fast-check";
import { anyCharacter } from "./any_character.ts";

/** A digest of one letter. */
export function digestOf(letter: string): `sha256:${string}` {
  return `sha256:${letter.repeat(64)}`;
}

const name = fc.string({ minLength: 1, maxLength: 40, unit: anyCharacter });
const role = fc.stringMatching(/^[a-z][a-z0-9_]{0,39}$/);
const text = fc.string({ maxLength: 200, unit: anyCharacter });
const count = fc.nat();
const time = fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true }).map((date) =>
  date.toISOString()
);
const digest = fc.constantFrom(digestOf("a"), digestOf("b"));

const pullRequest = fc.record({
  repository: name,
  number: count,
  url: text,
  outcome: name,
  changes: count,
}, { requiredKeys: ["repository", "outcome", "changes"] });

const run = fc.tuple(
  fc.record({ runId: name, command: name, outcome: name, startedAt: time, durationMs: count, host: name }),
  fc.record({
    carrier: name,
    revision: text,
    release: digest,
    previous: digest,
    otherWriter: fc.record({ revision: text, author: text, subject: text, described: text }),
    sequence: count,
    files: count,
    bytes: count,
    writtenBytes: count,
    changed: count,
    signer: name,
    steps: fc.array(fc.record({ name, startMs: count, durationMs: count }), { maxLength: 5 }),
    pullRequests: fc.array(pullRequest, { maxLength: 3 }),
    error: fc.record({ code: name, message: text, hint: text, exitCode: count }),
    log: fc.array(text, { maxLength: 3 }),
  }, { requiredKeys: [] }),
).map(([base, more]) => ({ ...base, ...more }));

const release = fc.record({ digest, sequence: count, createdAt: time, files: count, bytes: count });

const pause = fc.record({ since: time, until: fc.option(time), host: name, reason: text }, {
  requiredKeys: ["since", "until", "host"],
});

const status = fc.record({
  modelsDir: text,
  stateDir: fc.option(text),
  modelFolder: name,
  modelFolderFault: fc.option(text),
  current: fc.option(release),
  previous: fc.option(release),
  releases: fc.array(release, { maxLength: 3 }),
  otherWriter: fc.constant(null),
  activatedAt: fc.option(text),
  runs: fc.constant([]),
  next: fc.dictionary(role, fc.option(time), { maxKeys: 5, noNullPrototype: true }),
  quarantine: fc.array(fc.record({ digest, sequence: count, reason: text, at: text }), { maxLength: 3 }),
  quarantineFault: fc.option(text),
  canary: fc.constant(null),
  canaryFault: fc.option(text),
  schedules: fc.dictionary(
    role,
    fc.record({
      times: fc.array(text, { maxLength: 3 }),
      timeZone: name,
      splaySeconds: count,
      catchUpSeconds: fc.option(count),
      deny: fc.array(fc.record({ start: text, seconds: count }), { maxLength: 2 }),
      paused: fc.option(pause),
    }),
    { maxKeys: 5, noNullPrototype: true },
  ),
  paused: fc.dictionary(role, pause, { maxKeys: 3, noNullPrototype: true }),
  daemons: fc.array(fc.record({ role, pid: count, host: name, since: name }), { maxLength: 3 }),
  running: fc.array(fc.record({ runId: name, command: name, startedAt: time, step: fc.option(name) }), {
    maxLength: 3,
  }),
  freeBytes: fc.option(count),
});

const data = {
  "model-sync.run.started.v1": fc.record({
    runId: name,
    command: name,
    startedAt: time,
    host: name,
    modelsDir: text,
  }),
  "model-sync.run.finished.v1": run.chain((fields) => text.map((modelsDir) => ({ ...fields, modelsDir }))),
  "model-sync.release.published.v1": fc.record({
    digest,
    sequence: count,
    runId: name,
    host: name,
    filesTotal: count,
    bytes: count,
    files: fc.array(fc.record({ path: text, size: count, sha256: fc.constant("c".repeat(64)) }), {
      maxLength: 3,
    }),
    filesLeftOut: count,
  }),
  "model-sync.pull-request.v1": pullRequest.chain((fields) =>
    fc.tuple(name, name).map(([runId, host]) => ({ ...fields, runId, host }))
  ),
  "model-sync.heartbeat.v1": fc.record({
    host: name,
    version: name,
    configFingerprint: name,
    intervalSeconds: count,
    status,
    leftOut: fc.record({ releases: count, quarantine: count }),
  }),
} as const;

const envelope = fc.record({
  id: name,
  source: fc.constantFrom("bot-1/client", "bot%201"),
  time,
  subject: name,
});

/** Any event of any type that a node may send. */
export const anyEvent: fc.Arbitrary<unknown> = fc.oneof(
  ...Object.entries(data).map(([type, values]) =>
    fc.tuple(envelope, values).map(([head, data]) => ({
      specversion: "1.0",
      ...head,
      type,
      datacontenttype: "application/json",
      data,
    }))
  ),
);
