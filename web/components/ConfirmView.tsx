import { addresses, SETTINGS_FORMS } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import type { TokenRow } from "../store/rows.ts";
import { Breadcrumb, PageTitle } from "./PageTitle.tsx";

/** A question that is asked before an action. */
export type Question =
  | { readonly what: "rotate" | "revoke"; readonly token: TokenRow }
  | { readonly what: "forget"; readonly node: string }
  | { readonly what: "sign-everyone-out" };

/** Renders a question before an action that cannot be undone, with its consequences. */
export function ConfirmView({ question }: { readonly question: Question }) {
  const { title, text, button, action } = wordsOf(question);
  return (
    <>
      <Breadcrumb crumbs={[{ label: "Settings", href: addresses.settings() }]} />
      <PageTitle lead={text}>{title}</PageTitle>
      <form class="form" method="post" action={action}>
        {"token" in question && <input type="hidden" name="token" value={question.token.id} />}
        {"node" in question && <input type="hidden" name="node" value={question.node} />}
        <p class="form-line">
          <button type="submit" class="button-danger">{button}</button>
          <a class="button" href={addresses.settings()}>Cancel</a>
        </p>
      </form>
    </>
  );
}

interface Words {
  readonly title: string;
  readonly text: string;
  readonly button: string;
  readonly action: string;
}

function wordsOf(question: Question): Words {
  if (question.what === "sign-everyone-out") {
    return {
      title: "Sign everyone out?",
      text: "All sessions end immediately, including yours. Tokens stay valid.",
      button: "Sign everyone out",
      action: SETTINGS_FORMS.signEveryoneOut,
    };
  }
  if (question.what === "forget") {
    return {
      title: `Remove the node ${shownText(question.node)}?`,
      text:
        "Its runs and incidents are deleted and cannot be restored. Its token stays valid until you revoke it: a " +
        "node that still reports comes back with what it reports from then on.",
      button: "Remove the node",
      action: SETTINGS_FORMS.removeNode,
    };
  }
  const { what, token } = question;
  const name = shownText(token.name);
  const whose = token.kind === "node" ? `the node ${name}` : name;
  if (what === "rotate") {
    return {
      title: `Rotate the token for ${whose}?`,
      text: token.kind === "node"
        ? "The old token stops working immediately. The node keeps its reports and sends them when it has the new one."
        : "The old token stops working immediately. Programs that use it get 401 until they have the new one.",
      button: "Rotate the token",
      action: SETTINGS_FORMS.rotateToken,
    };
  }
  return {
    title: `Revoke the token for ${whose}?`,
    text: token.kind === "node"
      ? "The token stops working immediately. The node can no longer send its reports. Earlier reports stay."
      : "The token stops working immediately. Programs that use it get 401.",
    button: "Revoke the token",
    action: SETTINGS_FORMS.revokeToken,
  };
}
