import type { ComponentChildren } from "preact";

export interface Fact {
  readonly label: string;
  readonly value: ComponentChildren;
  /** In small letters below the value. */
  readonly note?: ComponentChildren;
}

/** Renders what there is to know of a thing as a grid of names and values. Missing facts are left out. */
export function Facts({ facts }: { readonly facts: readonly (Fact | null | undefined | false)[] }) {
  return (
    <dl class="facts">
      {facts.map((fact) =>
        fact && (
          <div>
            <dt>{fact.label}</dt>
            <dd>
              {fact.value}
              {fact.note !== undefined && <small>{fact.note}</small>}
            </dd>
          </div>
        )
      )}
    </dl>
  );
}
