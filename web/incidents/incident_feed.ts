import { sha256Hex } from "../../lib/core/hash.ts";
import { addresses } from "../shared/addresses.ts";
import { shownText } from "../shared/shown_text.ts";
import type { IncidentRow } from "../store/rows.ts";
import { endingWords, lengthOf } from "./incident_words.ts";

interface FeedEntry {
  /** Stable for every reader at any time. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly updated: string;
  readonly address: string;
}

/**
 * Returns incidents as an Atom feed (RFC 4287): an entry for the start and one for the end of each.
 *
 * @param origin the dashboard's origin, as its reader knows it
 * @param began the time of a feed without entries
 */
export async function incidentFeed(
  origin: string,
  incidents: readonly IncidentRow[],
  began: Date,
): Promise<string> {
  const entries = (await Promise.all(incidents.map(entriesOf))).flat()
    .sort((a, b) => a.updated < b.updated ? 1 : -1);
  const page = origin + addresses.incidents();
  return [
    `<?xml version="1.0" encoding="utf-8"?>`,
    `<feed xmlns="http://www.w3.org/2005/Atom">`,
    `<id>${await idOf(`feed ${origin}`)}</id>`,
    `<title>Incidents · model-sync</title>`,
    `<updated>${entries[0]?.updated ?? began.toISOString()}</updated>`,
    `<author><name>model-sync</name></author>`,
    `<link rel="self" type="application/atom+xml" href="${escapeXml(origin + addresses.incidentsFeed())}"/>`,
    `<link rel="alternate" type="text/html" href="${escapeXml(page)}"/>`,
    ...entries.map((entry) => entryXml(origin, entry)),
    `</feed>\n`,
  ].join("\n");
}

async function entriesOf(incident: IncidentRow): Promise<FeedEntry[]> {
  const { node, kind, reason, startedAt, endedAt } = incident;
  const address = `${addresses.incidents()}?node=${encodeURIComponent(node.toWellFormed())}`;
  const began: FeedEntry = {
    id: await idOf(`began ${startedAt} ${node}`),
    title: `${node} is ${kind}`,
    text: reason,
    updated: startedAt,
    address,
  };
  if (endedAt === null) return [began];
  const length = lengthOf(incident, new Date(endedAt));
  const ending = endingWords(incident);
  return [began, {
    id: await idOf(`ended ${startedAt} ${node}`),
    title: ending === "" ? `${node} recovered after ${length}` : `${node} is ${ending}`,
    text: `It was ${kind} for ${length}: ${reason}`,
    updated: endedAt,
    address,
  }];
}

function entryXml(origin: string, { id, title, text, updated, address }: FeedEntry): string {
  return [
    `<entry>`,
    `<id>${id}</id>`,
    `<title type="text">${escapeXml(title)}</title>`,
    `<updated>${updated}</updated>`,
    `<link rel="alternate" type="text/html" href="${escapeXml(origin + address)}"/>`,
    `<summary type="text">${escapeXml(text)}</summary>`,
    `</entry>`,
  ].join("\n");
}

/** Returns a UUID of version 8, made from a hash. */
async function idOf(name: string): Promise<string> {
  const hex = await sha256Hex(`model-sync incidents\n${name}`);
  const variant = (8 + parseInt(hex.charAt(16), 16) % 4).toString(16);
  return `urn:uuid:${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${
    hex.slice(17, 20)
  }-${hex.slice(20, 32)}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Characters that XML does not allow are spelled out; U+FFFE and U+FFFF are left out. */
function escapeXml(text: string): string {
  return shownText(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char).replace(/[\ufffe\uffff]/g, "");
}
