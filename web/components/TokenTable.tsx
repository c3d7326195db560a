import { useContext } from "preact/hooks";
import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import type { TokenRow } from "../store/rows.ts";
import { PageContext } from "./PageContext.tsx";
import { NodeLink } from "./Links.tsx";
import { Cell, Row, Table } from "./Table.tsx";
import { Time } from "./Time.tsx";

interface TokenTableProps {
  readonly kind: TokenRow["kind"];
  readonly tokens: readonly TokenRow[];
}

/** Renders the tokens of a kind with their actions. */
export function TokenTable({ kind, tokens }: TokenTableProps) {
  const what = kind === "node" ? "Node" : "Name";
  const columns = [
    { label: what, grows: true },
    { label: "Created" },
    { label: "Last used" },
    { label: "Actions", align: "end" },
  ] as const;
  return (
    <Table caption={kind === "node" ? "Node tokens" : "Read tokens"} columns={columns}>
      {tokens.map((token) => (
        <Row key={token.id}>
          <Cell label={what} kind="head">
            {kind === "node" ? <NodeLink node={token.name} /> : <bdi>{shownText(token.name)}</bdi>}
          </Cell>
          <Cell label="Created">
            <Time at={token.createdAt} />
          </Cell>
          <Cell label="Last used">
            <LastUse usedAt={token.usedAt} />
          </Cell>
          <Cell label="Actions" align="end">
            <TokenActions token={token} />
          </Cell>
        </Row>
      ))}
    </Table>
  );
}

/** The time of the last use is accurate to an hour. */
const NOTED_MS = 3_600_000;

function LastUse({ usedAt }: Pick<TokenRow, "usedAt">) {
  const { now } = useContext(PageContext);
  if (usedAt === null) return <span class="quiet-text">never</span>;
  return now.getTime() - Date.parse(usedAt) < NOTED_MS ? <>in the last hour</> : <Time at={usedAt} />;
}

/** Renders links to a page that asks for confirmation, which works without scripts. */
function TokenActions({ token }: { readonly token: TokenRow }) {
  const name = shownText(token.name);
  return (
    <span class="actions">
      <a href={addresses.confirm("rotate", token.id)} aria-label={`Rotate the token for ${name}`}>Rotate</a>
      <a href={addresses.confirm("revoke", token.id)} aria-label={`Revoke the token for ${name}`}>Revoke</a>
    </span>
  );
}
