import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import type { TokenRow } from "../store/rows.ts";
import { Breadcrumb, PageTitle } from "./PageTitle.tsx";
import { Command, Section } from "./Section.tsx";
import { Notice } from "./Notice.tsx";

interface NewTokenViewProps {
  readonly token: TokenRow;
  readonly secret: string;
  /** The dashboard's origin, as the reader's browser knows it: `https://models.example.com`. */
  readonly origin: string;
}

/** Renders a new token's secret, which is shown only once, and how to use it. */
export function NewTokenView({ token, secret, origin }: NewTokenViewProps) {
  const name = shownText(token.name);
  return (
    <>
      <Breadcrumb crumbs={[{ label: "Settings", href: addresses.settings() }]} />
      <PageTitle>{token.kind === "node" ? `Token for the node ${name}` : `Read token ${name}`}</PageTitle>
      <Notice tone="warn" role="status" title="Copy the token now. It is shown only once.">
        <p>
          <Command command={secret} />
        </p>
        <p>The dashboard stores only its hash. If you lose the token, rotate it.</p>
      </Notice>
      {token.kind === "node"
        ? <NodeSteps node={token.name} secret={secret} origin={origin} />
        : <ReaderSteps secret={secret} origin={origin} />}
      <p class="more">
        <a href={addresses.settings()}>Back to the settings</a>
      </p>
    </>
  );
}

function NodeSteps(
  { node, secret, origin }: { readonly node: string; readonly secret: string; readonly origin: string },
) {
  return (
    <>
      <Section title="Configuration of the node" note="bot.yaml">
        <pre class="log">{yamlOf(node, origin)}</pre>
        <p>
          Without <code>node</code>, the machine reports as its host name and the kind of run, such as{" "}
          <code>bot-1/client</code>. The token covers these names if the host name is {shownText(node)}.
        </p>
      </Section>
      <Section title="Environment of the node" note="or a line in .env, without export">
        <p>
          <Command command={`export MODEL_SYNC_REPORT_TOKEN=${secret}`} />
        </p>
      </Section>
      <Section title="Check the connection">
        <p>
          <Command command="model-sync doctor" />
        </p>
      </Section>
    </>
  );
}

function ReaderSteps({ secret, origin }: { readonly secret: string; readonly origin: string }) {
  return (
    <Section title="Use the token">
      <p>
        <Command command={`curl -H 'Authorization: Bearer ${secret}' ${origin}${addresses.statusJson()}`} />
      </p>
      <p>
        The token can read the API and every page except the settings. It cannot change anything. Prometheus
        reads <code>{addresses.metrics()}</code> with the token in <code>authorization: credentials</code>.
      </p>
    </Section>
  );
}

/** Returns the settings as YAML. Names are JSON strings, which are valid YAML and cannot break out. */
function yamlOf(node: string, origin: string): string {
  return `model_sync:\n  report:\n    url: ${JSON.stringify(origin)}\n    node: ${JSON.stringify(node)}`;
}
