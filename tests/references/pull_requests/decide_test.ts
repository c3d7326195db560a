import assert from "node:assert/strict";
import { decide } from "../../../lib/references/propose.ts";
import { type Marker, readMarker, withMarker } from "../../../lib/references/pull_requests/marker.ts";
import type { PullRequest } from "../../../lib/references/pull_requests/pull_requests.ts";

const [SAME, OTHER] = ["sha256:aa", "sha256:bb"];

/** A pull request that is open, merged, or closed by us or a person. */
function pull(number: number, how: "open" | "merged" | "ours" | "human", content?: string): PullRequest {
  return {
    number,
    isOpen: how === "open",
    isMerged: how === "merged",
    url: `https://github.com/you/registry/pull/${number}`,
    head: "model-sync/references",
    body: "",
    marker: { content, isClosedByUs: how === "ours", pending: [] },
  };
}

const CASES: readonly (readonly [
  claim: string,
  existing: readonly PullRequest[],
  content: string | undefined,
  decision: string,
])[] = [
  ["nothing is done about nothing", [], undefined, "none"],
  ["nothing is done about what is closed", [pull(1, "human", SAME)], undefined, "none"],
  ["the first is created", [], SAME, "create"],
  ["what is open with the same content is unchanged", [pull(1, "open", SAME)], SAME, "unchanged 1"],
  ["what is open with other content is updated", [pull(1, "open", OTHER)], SAME, "update 1"],
  ["what is open and lost its marker is updated", [pull(1, "open")], SAME, "update 1"],
  [
    "of several open ones the newest counts",
    [pull(2, "open", OTHER), pull(1, "open", SAME)],
    SAME,
    "update 2",
  ],
  [
    "an open one counts before a newer closed one",
    [pull(2, "human", SAME), pull(1, "open", SAME)],
    SAME,
    "unchanged 1",
  ],
  ["what has nothing to propose any more is closed", [pull(1, "open", SAME)], undefined, "close 1"],
  ["what a human closed is declined", [pull(1, "human", SAME)], SAME, "declined 1"],
  ["other content than the declined is created", [pull(1, "human", OTHER)], SAME, "create"],
  [
    "what was declined stays so after other content",
    [pull(2, "merged", OTHER), pull(1, "human", SAME)],
    SAME,
    "declined 1",
  ],
  ["what we closed is created again", [pull(1, "ours", SAME)], SAME, "create"],
  ["what was merged is created again", [pull(1, "merged", SAME)], SAME, "create"],
  [
    "the newest of the same content decides",
    [pull(2, "merged", SAME), pull(1, "human", SAME)],
    SAME,
    "create",
  ],
  ["what a human closed without a marker declines nothing", [pull(1, "human")], SAME, "create"],
];
for (const [claim, existing, content, wanted] of CASES) {
  Deno.test(`decide(): ${claim}`, () => {
    const decision = decide(existing, content);
    const number = "pullRequest" in decision ? ` ${decision.pullRequest.number}` : "";
    assert.equal(`${decision.kind}${number}`, wanted);
  });
}

Deno.test("decide(): a pull request that we closed and a person reopened gets a new text", () => {
  const reopened: PullRequest = {
    ...pull(1, "open"),
    marker: { content: SAME, isClosedByUs: true, pending: [] },
  };
  assert.equal(decide([reopened], SAME).kind, "update");
});

Deno.test("readMarker() finds the marker in a body that people edited", () => {
  const content = "sha256:0123abcd";
  const known = (body: string | null, isClosedByUs = false) =>
    assert.deepEqual(readMarker(body), { content, isClosedByUs, pending: [] }, JSON.stringify(body));
  known(`<!-- model-sync: content=${content} -->`);
  known(`Text\r\n\r\n<!-- model-sync: content=${content} -->\r\n\r\nThanks! :)`);
  known(`<!--model-sync:content=${content}-->`);
  known(`<!--  Model-Sync:\r\n content=${content}\r\n closed-by=model-sync -->`, true);
  known(
    `<!-- model-sync: content=sha256:ff closed-by=model-sync --> <!-- model-sync: content=${content} -->`,
  );
  known(`<!-- other: content=sha256:ff --> <!-- model-sync: new=1 content=SHA256:0123ABCD -->`);
  for (
    const body of [null, "", "words", "<!-- model-sync: content=md5:ab -->", `model-sync: content=${content}`]
  ) {
    assert.deepEqual(readMarker(body), { content: undefined, isClosedByUs: false, pending: [] });
  }
});

Deno.test("withMarker() leaves exactly one marker", () => {
  const marker: Marker = { content: SAME, isClosedByUs: true, pending: ["labels", "team"] };
  const once = withMarker("Text.\r\n\r\n<!-- model-sync: content=sha256:00 -->\r\n", marker);
  assert.equal(
    once,
    `Text.\n\n<!-- model-sync: content=${SAME} closed-by=model-sync pending=labels,team -->`,
  );
  assert.equal(withMarker(once, marker), once);
  assert.deepEqual(readMarker(once), marker);
  assert.equal(
    withMarker("Text.", { content: undefined, isClosedByUs: true, pending: [] }),
    "Text.\n\n<!-- model-sync: closed-by=model-sync -->",
  );
});
