import { useContext } from "preact/hooks";
import { exactUtc, type TimeStyle, timeWords } from "../shared/time_words.ts";
import { PageContext } from "./PageContext.tsx";

interface TimeProps {
  /** ISO 8601. */
  readonly at: string;
  /** The style; `ago` by default. */
  readonly style?: TimeStyle;
}

/**
 * Renders a time in words, with the exact time in UTC as its title. The page's script updates it in the style of
 * `data-time`, as time passes and in the reader's zone.
 */
export function Time({ at, style = "ago" }: TimeProps) {
  const { now, zone } = useContext(PageContext);
  const time = new Date(at);
  // Some times are unchecked texts on the wire.
  if (Number.isNaN(time.getTime())) return <>{timeWords(time, style, now, zone)}</>;
  return (
    <time dateTime={time.toISOString()} title={exactUtc(time)} data-time={style}>
      {timeWords(time, style, now, zone)}
    </time>
  );
}
