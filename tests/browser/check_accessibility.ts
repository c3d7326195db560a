import axe from "axe-core";
import type { Page } from "playwright-core";
import * as z from "zod";

/** The findings of axe-core in a page, a line for each element. */
interface AccessibilityReport {
  /** Violations of WCAG 2.2 AA with the impact serious or critical. */
  readonly serious: string[];
  /** Findings with less impact, and best practices. */
  readonly notes: string[];
}

/** The tags of axe-core for the rules of WCAG 2.2 AA. */
export const WCAG_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const AxeAnswer = z.object({
  result: z.object({
    value: z.array(z.object({
      id: z.string(),
      impact: z.string().nullish(),
      help: z.string(),
      tags: z.array(z.string()),
      nodes: z.array(z.object({ target: z.array(z.unknown()), failureSummary: z.string().optional() })),
    })),
  }),
});

/**
 * Runs axe-core in the current state of a page, which needs JavaScript.
 *
 * @param only tags or ids of rules; all rules of WCAG 2.2 AA and best practices by default
 */
export async function checkAccessibility(
  page: Page,
  only?: readonly string[],
): Promise<AccessibilityReport> {
  if (await page.evaluate("matchMedia('(scripting: none)').matches") === true) {
    throw new Error(
      "axe-core needs a page with JavaScript: without it no timer ends and the check would hang",
    );
  }
  // Evaluates by Chromium's own protocol, to which the page's content security policy does not apply.
  const session = await page.context().newCDPSession(page);
  const options = { runOnly: only ?? [...WCAG_TAGS, "best-practice"], resultTypes: ["violations"] };
  // A page that was checked before has loaded it.
  await session.send("Runtime.evaluate", { expression: `if (!globalThis.axe) { ${axe.source} }` });
  const answer = await session.send("Runtime.evaluate", {
    expression: `axe.run(document, ${JSON.stringify(options)}).then(({ violations }) => violations)`,
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  const serious: string[] = [];
  const notes: string[] = [];
  for (const { id, impact, help, tags, nodes } of AxeAnswer.parse(answer).result.value) {
    const isSerious = (impact === "serious" || impact === "critical") &&
      tags.some((tag) => WCAG_TAGS.includes(tag));
    for (const { target, failureSummary = "" } of nodes) {
      const reason = failureSummary.replace(/\s+/g, " ").replace(/^Fix (any|all) of the following: /, "");
      (isSerious ? serious : notes).push(`${id}: ${help}: ${target.join(" ")}: ${reason}`);
    }
  }
  return { serious, notes };
}
