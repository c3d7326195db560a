/**
 * Every component of the dashboard with realistic and with hostile data, for visual checks:
 *
 * `deno run -A tests/web/gallery.tsx FOLDER` writes a page for each sample. The pages link to the stylesheet in the
 * repository.
 */
import type { ComponentChildren } from "preact";
import { Breadcrumb, PageTitle } from "../../web/components/PageTitle.tsx";
import { Command, Empty, Facts, Section } from "../../web/components/Section.tsx";
import { Details } from "../../web/components/Details.tsx";
import { FilterBar } from "../../web/components/FilterBar.tsx";
import { NodeLink, ReleaseChip } from "../../web/components/Links.tsx";
import { Notice } from "../../web/components/Notice.tsx";
import { Outcome, StateBadge } from "../../web/components/Mark.tsx";
import { Cell, Pager, Row, Table } from "../../web/components/Table.tsx";
import { RunStrip } from "../../web/components/RunStrip.tsx";
import { Time } from "../../web/components/Time.tsx";
import { TroubleList } from "../../web/components/TroubleList.tsx";
import { STATES } from "../../web/fleet/node_view.ts";
import { renderPage } from "../../web/routes/render_page.tsx";
import { ChartsSample, ExtremesSample } from "./gallery_charts.tsx";
import {
  digestOf,
  minutesAgo,
  NODES,
  NOW,
  PUBLISHER,
  runsOf,
  type SampleNode,
  TROUBLES,
} from "./gallery_data.ts";

const NODE_COLUMNS = [
  { label: "Node" },
  { label: "State", size: "medium" },
  { label: "Active release", size: "large" },
  { label: "Last 30 runs", size: "large" },
  { label: "Last run", size: "medium" },
  { label: "Next", size: "small", align: "end" },
] as const;

function NodeRow({ node }: { readonly node: SampleNode }) {
  return (
    <Row live={`node:${node.name}`} node={node.name}>
      <Cell label="Node" kind="head" note={node.where}>
        <NodeLink node={node.name} />
      </Cell>
      <Cell label="State">
        <StateBadge
          state={node.state}
          {...node.label === undefined ? {} : { label: node.label }}
          {...node.tone === undefined ? {} : { tone: node.tone }}
        />
      </Cell>
      <Cell
        label="Active release"
        note={node.behind === undefined ? undefined : <span class="behind">{node.behind}</span>}
      >
        {node.digest === "" ? <span class="quiet-text">none</span> : (
          <ReleaseChip
            release={{
              digest: digestOf(node.digest),
              ...node.sequence === undefined ? {} : { sequence: node.sequence },
            }}
          />
        )}
      </Cell>
      <Cell label="Last 30 runs" kind="wide">
        <RunStrip runs={runsOf(node.runs)} />
      </Cell>
      <Cell
        label="Last run"
        note={node.last === "" ? undefined : <Time at={minutesAgo(node.ago)} />}
      >
        {node.last === "" ? <span class="quiet-text">never</span> : <Outcome outcome={node.last} />}
      </Cell>
      <Cell label="Next" align="end">
        {node.next === null
          ? <span class="quiet-text">not scheduled</span>
          : <Time at={minutesAgo(node.next)} style="clock" />}
      </Cell>
    </Row>
  );
}

function FleetSample() {
  return (
    <>
      <PageTitle
        live="sentence"
        lead={
          <>
            Release 42 was published by <b>train-1</b> <Time at={minutesAgo(504)} style="clock" />{" "}
            and is active on 4 of 6 consumers.
          </>
        }
      >
        <em>3 of 9 nodes</em> need you. The rest is as it should be.
      </PageTitle>
      <TroubleList entries={TROUBLES} live="troubles" />
      <FilterBar
        action="/"
        search={{ label: "Node or label", value: "" }}
        selects={[
          { name: "state", label: "State", value: "", options: [{ value: "", label: "Any state" }] },
          { name: "group", label: "Group by", value: "role", options: [{ value: "role", label: "Role" }] },
        ]}
        isFiltered
      >
        9 of 50 nodes
      </FilterBar>
      <Section
        title="Consumers"
        note={
          <>
            newest release <ReleaseChip release={{ digest: digestOf("af9620290d58"), sequence: 42 }} />
          </>
        }
      >
        <Table caption="Consumers" columns={NODE_COLUMNS}>
          {NODES.map((node) => <NodeRow key={node.name} node={node} />)}
        </Table>
      </Section>
      <Section title="Publishers">
        <Table caption="Publishers" columns={NODE_COLUMNS}>
          <NodeRow node={PUBLISHER} />
        </Table>
        <Pager what="nodes" newer="?page=1" older="?page=3" />
      </Section>
    </>
  );
}

function NodeSample() {
  return (
    <>
      <Breadcrumb crumbs={[{ label: "Fleet", href: "/" }, { label: "Consumers", href: "/?role=consumer" }]} />
      <PageTitle aside={<StateBadge state="canary" label="canary, 38 min left" />}>bot-paris</PageTitle>
      <Facts
        facts={[
          {
            label: "Active release",
            value: <ReleaseChip release={{ digest: digestOf("c571816245a5"), sequence: 41 }} />,
            note: (
              <>
                since <Time at={minutesAgo(120)} style="clock" />
              </>
            ),
          },
          { label: "Behind the newest", value: "1 release", note: "8 h" },
          { label: "Next pull", value: <Time at={minutesAgo(-1289)} style="clock" /> },
          { label: "Success, 30 days", value: "29 of 30" },
          { label: "Version", value: "0.2.0", note: "configuration 3f9a11c0" },
          { label: "Free disk", value: "212.4 GiB" },
        ]}
      />
    </>
  );
}

const LOG = "06:00:09 release 42 active, canary for 45 min\n06:31:08 win_rate 0.41 (−25.5 %) limit reached";

function PiecesSample() {
  return (
    <>
      <PageTitle>Pieces</PageTitle>
      <Section title="States">
        <p class="form-line">{STATES.map((state) => <StateBadge key={state} state={state} />)}</p>
        <p class="form-line">
          {["activated", "unchanged", "rolled-back", "failed", "running", "of-a-later-version"].map((
            outcome,
          ) => <Outcome key={outcome} outcome={outcome} />)}
        </p>
      </Section>
      <Section title="Notices">
        <Notice tone="bad" title="Cannot create the token: the name is taken." role="alert">
          Choose another name, or revoke the old token first.
        </Notice>
        <Notice tone="warn" title="The clock of this node is 26 h ahead." />
        <Notice tone="calm" title="The token is shown once">
          <p>Copy it now: the dashboard keeps its hash alone.</p>
          <p>
            <Command command="export MODEL_SYNC_REPORTING_TOKEN=ms_node_7Qb0k3v1mEJc5o9x2T8aWl4rYd6uSfHg" />
          </p>
        </Notice>
        <Notice tone="good" title="Saved." role="status" />
        <Notice tone="quiet" title="Filtered">Runs of the last 30 days.</Notice>
      </Section>
      <Section title="Empty">
        <Empty
          title="No node has reported yet"
          commands={["model-sync publish", "model-sync config set reporting.url https://fleet.example/"]}
        >
          <p>
            Start a run on this machine, or create a token in <a href="/settings">Settings</a>{" "}
            and report from another one.
          </p>
        </Empty>
      </Section>
      <Section title="Form">
        <form class="form">
          <label class="field">
            <span>Name of the node</span>
            <input name="node" required placeholder="bot-paris" />
          </label>
          <label class="field">
            <span>Kind</span>
            <select>
              <option>Reports events of one node</option>
            </select>
          </label>
          <p class="form-line">
            <button type="submit" class="button-main">Create token</button>
            <button type="submit">Rotate</button>
            <button type="submit" class="button-danger">Revoke</button>
            <button type="submit" class="button-plain">Cancel</button>
          </p>
        </form>
      </Section>
      <Section title="Log">
        <pre class="log">{LOG}</pre>
        <Details summary="The whole log">Nothing more.</Details>
      </Section>
    </>
  );
}

/** The pages of the gallery, by their name. */
export const SAMPLES: Readonly<Record<string, ComponentChildren>> = {
  fleet: <FleetSample />,
  node: <NodeSample />,
  pieces: <PiecesSample />,
  charts: <ChartsSample />,
  extremes: <ExtremesSample />,
};

/** Returns a page of the gallery. */
export function renderSample(name: string): string {
  return renderPage({
    title: `Gallery: ${name}`,
    state: "bad",
    facts: { now: NOW, zone: "Europe/Paris", viewer: "operator", path: "/", live: undefined, signedIn: true },
    body: SAMPLES[name],
  });
}

if (import.meta.main) {
  const [folder = "."] = Deno.args;
  const styles = new URL("../../web/static/style.css", import.meta.url).href;
  for (const name of Object.keys(SAMPLES)) {
    const html = renderSample(name).replace(/href="\/static\/style\.css[^"]*"/, `href="${styles}"`);
    await Deno.writeTextFile(`${folder}/${name}.html`, html);
  }
}
