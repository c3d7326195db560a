import type { ComponentChildren } from "preact";
import { shownText } from "../shared/shown_text.ts";

export interface FilterSelect {
  /** The name of the query parameter. */
  readonly name: string;
  readonly label: string;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
}

interface FilterBarProps {
  /** The address of the filtered page. */
  readonly action: string;
  readonly selects?: readonly FilterSelect[];
  /** The search field, for the query parameter `q`. */
  readonly search?: { readonly label: string; readonly value: string };
  /** Query parameters that are kept. */
  readonly kept?: Readonly<Record<string, string>>;
  /** Whether a filter is active. If so, the bar shows a link that removes it. */
  readonly isFiltered: boolean;
  /** The result of the filter: `12 of 50 nodes`. */
  readonly children?: ComponentChildren;
}

/** Renders a form that filters through the page's address. */
export function FilterBar({ action, selects = [], search, kept = {}, isFiltered, children }: FilterBarProps) {
  return (
    <form class="filters" method="get" action={action} data-filter>
      {search !== undefined && (
        <label class="field">
          <span>{search.label}</span>
          <input
            type="search"
            name="q"
            value={search.value}
            maxLength={200}
            autoComplete="off"
            spellcheck={false}
          />
        </label>
      )}
      {selects.map(({ name, label, value, options }) => (
        <label class="field">
          <span>{label}</span>
          <select name={name}>
            {options.map((option) => (
              <option value={option.value} selected={option.value === value}>
                {shownText(option.label)}
              </option>
            ))}
          </select>
        </label>
      ))}
      {Object.entries(kept).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value} />
      ))}
      <button type="submit" class="button">Filter</button>
      {isFiltered && <a class="button-plain" href={action}>Show all</a>}
      {children !== undefined && <p class="filters-result">{children}</p>}
    </form>
  );
}
