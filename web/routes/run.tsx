import { Hono } from "hono";
import { formatBytes, plural } from "../../lib/core/format.ts";
import type { Finished } from "../../lib/wire/schema.ts";
import { durationText } from "../../lib/store/run_duration.ts";
import { addresses, webLink } from "../shared/addresses.ts";
import { Breadcrumb, PageTitle } from "../components/PageTitle.tsx";
import { Empty, Facts, Section } from "../components/Section.tsx";
import { FileChanges } from "../components/FileChanges.tsx";
import { NodeLink, ReleaseChip } from "../components/Links.tsx";
import { Notice } from "../components/Notice.tsx";
import { Outcome } from "../components/Mark.tsx";
import { StepChart } from "../components/StepChart.tsx";
import { Cell, Row, Table } from "../components/Table.tsx";
import { Time } from "../components/Time.tsx";
import type { App, AppEnv, Dashboard } from "./dashboard.ts";
import { isFailure } from "../store/outcomes.ts";
import { sentence } from "../shared/words.ts";
import { pageFacts } from "./page_facts.ts";
import { renderPage } from "./render_page.tsx";
import { shownText } from "../shared/shown_text.ts";
import { findRunningRun, readRun } from "../store/read_runs.ts";
import { readReleaseDiff, type ReleaseDiff } from "../store/read_comparison.ts";
import { RUNNING, type RunRow } from "../store/rows.ts";
import { notFoundPage } from "./error_page.tsx";

/** The page of a run: its steps, its changes and its error. */
export function runRoutes(dashboard: Dashboard): App {
  return new Hono<AppEnv>().get("/runs/:run", async (context) => {
    const now = dashboard.clock.now();
    const runId = context.req.param("run");
    const node = context.req.query("node");
    const { rows, version } = await dashboard.fleet.read();
    const stored = await readRun(dashboard.kv, runId, node) ?? findRunningRun(rows.values(), runId, node);
    if (stored === undefined) {
      return notFoundPage(
        context,
        dashboard,
        "No run has this ID, or it is older than the retention.",
      );
    }
    const { row, details, nodes } = stored;
    const body = <RunPage run={row} details={details} nodes={nodes} diff={await diffOf(dashboard.kv, row)} />;
    const title = `${row.command} of ${row.node}`;
    return context.html(
      renderPage({ title, facts: pageFacts(context, now, version), nodes: [row.node], body }),
    );
  });
}

/** Returns the changes of the run's release; `undefined` if the files of either release are unknown. */
async function diffOf(kv: Deno.Kv, { release, previous }: RunRow): Promise<ReleaseDiff | undefined> {
  if (release === undefined || previous === undefined || release === previous) return undefined;
  return await readReleaseDiff(kv, previous, release);
}

interface RunPageProps {
  readonly run: RunRow;
  readonly details: Finished | undefined;
  readonly nodes: readonly string[];
  readonly diff: ReleaseDiff | undefined;
}

function RunPage({ run, details, nodes, diff }: RunPageProps) {
  const steps = details?.steps ?? [];
  return (
    <>
      <Breadcrumb
        crumbs={[{ label: "Fleet", href: addresses.fleet() }, {
          label: run.node,
          href: addresses.node(run.node),
        }]}
      />
      <PageTitle aside={<Outcome outcome={run.outcome} />} live="title-of-run">
        {shownText(run.command)}, <Time at={run.startedAt} style="clock" />
      </PageTitle>
      {nodes.length > 1 && (
        <Notice tone="quiet" title="Several nodes report a run with this ID">
          <ul>
            {nodes.map((node) => (
              <li>
                <a href={addresses.run(run.runId, node)}>{shownText(node)}</a>
              </li>
            ))}
          </ul>
        </Notice>
      )}
      <RunError run={run} details={details} />
      <RunFacts run={run} details={details} />
      {run.outcome === RUNNING && (
        <Empty title="This run is in progress">
          Its changes, its steps and the end of its log appear here when it ends.
        </Empty>
      )}
      {steps.length > 0 && (
        <Section title="Steps" note="from the start of the run">
          <StepChart steps={steps} outcome={run.outcome} />
        </Section>
      )}
      {diff !== undefined && run.previous !== undefined && run.release !== undefined && (
        <Section
          title="Changed files"
          note={<a href={addresses.releaseDiff(run.release, run.previous)}>Compare the two releases</a>}
        >
          <FileChanges diff={diff} />
        </Section>
      )}
      <PullRequests details={details} />
      {details?.log !== undefined && details.log.length > 0 && (
        <Section title="End of the log" note={plural(details.log.length, "line")}>
          <pre class="log" tabIndex={0}>{details.log.map(shownText).join("\n")}</pre>
        </Section>
      )}
    </>
  );
}

/** Renders the error of a run as its node reported it, with its hint. */
function RunError({ run, details }: Pick<RunPageProps, "run" | "details">) {
  if (run.error === undefined) return null;
  const { code, message } = details?.error ?? run.error;
  const hint = details?.error?.hint;
  return (
    <Notice tone={isFailure(run.outcome) ? "bad" : "warn"} title={shownText(message)}>
      {hint !== undefined && <p>{shownText(sentence(hint))}</p>}
      <p>
        <code>{shownText(code)}</code>
        {details?.error?.exitCode !== undefined && ` · exit code ${details.error.exitCode}`}
      </p>
    </Notice>
  );
}

function RunFacts({ run, details }: Pick<RunPageProps, "run" | "details">) {
  const { carrier, files, bytes, changed, writtenBytes, release, previous, sequence, outcome } = run;
  const named = release === undefined
    ? undefined
    : sequence === undefined
    ? { digest: release }
    : { digest: release, sequence };
  return (
    <Facts
      facts={[
        {
          label: "Node",
          value: <NodeLink node={run.node} />,
          note: details === undefined || details.host === run.node ? undefined : shownText(details.host),
        },
        {
          label: "Started",
          value: <Time at={run.startedAt} style="exact" />,
          note: <Time at={run.startedAt} />,
        },
        outcome !== RUNNING && { label: "Took", value: durationText(run) },
        named !== undefined &&
        {
          label: outcome === "published" ? "Published" : "Active release",
          value: <ReleaseChip release={named} />,
        },
        previous !== undefined && previous !== release &&
        { label: "Replaced", value: <ReleaseChip release={{ digest: previous }} /> },
        files !== undefined && {
          label: "Files",
          value: changed === undefined ? String(files) : `${changed} of ${files} changed`,
          ...(bytes === undefined ? {} : { note: formatBytes(bytes) }),
        },
        writtenBytes !== undefined && { label: "Written or sent", value: formatBytes(writtenBytes) },
        carrier !== undefined && {
          label: "Carrier",
          value: shownText(carrier),
          ...(details?.revision === undefined ? {} : { note: <Shown text={details.revision} chars={12} /> }),
        },
        details?.signer !== undefined &&
        { label: "Signed by", value: <Shown text={details.signer} chars={16} /> },
        details !== undefined && { label: "Models", value: <code>{shownText(details.modelsDir)}</code> },
        { label: "Run", value: <code>{shownText(run.runId)}</code> },
      ]}
    />
  );
}

/** Renders the beginning of a long name, with the complete name as its title. */
function Shown({ text, chars }: { readonly text: string; readonly chars: number }) {
  const shown = shownText(text);
  return <code title={shown}>{shown.slice(0, chars)}</code>;
}

function PullRequests({ details }: Pick<RunPageProps, "details">) {
  const pullRequests = details?.pullRequests ?? [];
  if (pullRequests.length === 0) return null;
  return (
    <Section
      title="Pull requests"
      note={`${pullRequests.length}`}
    >
      <Table
        caption="Pull requests of this run"
        columns={[{ label: "Repository", grows: true }, { label: "Outcome" }, {
          label: "Models",
          align: "end",
        }]}
      >
        {pullRequests.map(({ repository, number, url, outcome, changes }) => {
          const link = webLink(url);
          const name = `${shownText(repository)}${number === undefined ? "" : ` #${number}`}`;
          return (
            <Row key={repository}>
              <Cell label="" kind="head">
                {link === undefined ? name : <a href={link} rel="noreferrer">{name}</a>}
              </Cell>
              <Cell label="Outcome">{shownText(outcome)}</Cell>
              <Cell label="Models" align="end">{String(changes)}</Cell>
            </Row>
          );
        })}
      </Table>
    </Section>
  );
}
