import { RefusedError } from "../../core/errors.ts";
import { jsonEquals } from "../json/json_equals.ts";
import type { JsonObject } from "../json/json_value.ts";
import type { Column, ModelRow } from "./models_csv.ts";
import { type ModelSize, modelSize } from "./model_size.ts";
import { automaticDisplayName } from "./text_names.ts";
import type { TextModel } from "./text_model.ts";
import { settingsOf } from "./text_settings.ts";
import { DEFAULT_STYLE, sortedTags, tagsCell, tagsOf } from "./text_tags.ts";

/**
 * The cells of a model's row of which the file keeps as many as mean what PRIMARY says: ` 12` for `12`, tags in another
 * order, settings in another spelling.
 */
export function keptCells(model: TextModel, row: ModelRow): Map<Column, string> {
  const cells = new Map(model.cells);
  const held = (column: Column) => row.values.get(column) ?? "";
  const wanted = (column: Column) => model.cells.get(column) ?? "";

  const size = keptSize(model, held("parameters_bn"));
  if (size !== undefined) cells.set("parameters_bn", held("parameters_bn"));
  const sizeTag = (size ?? modelSize(wanted("parameters_bn")))?.tag ?? "";

  const style = [held("style"), wanted("style")].find((style) =>
    (style || DEFAULT_STYLE) === (wanted("style") || DEFAULT_STYLE) &&
    sameTags(model, held("tags"), style, sizeTag)
  );
  cells.set("style", style ?? wanted("style"));
  cells.set("tags", style === undefined ? tagsCell(model.tags, wanted("style"), sizeTag) : held("tags"));

  const automatic = automaticDisplayName(wanted("name"));
  if ((held("display_name") || automatic) === (wanted("display_name") || automatic)) {
    cells.set("display_name", held("display_name"));
  }
  const settings = readSettings(held("settings"));
  if (settings !== undefined && jsonEquals(settings, model.settings)) cells.set("settings", held("settings"));
  cells.set("instruct_format", keptInstructFormat(model, row));
  return cells;
}

/** PRIMARY need not know the format: what it leaves empty stays what the file has. */
export function keptInstructFormat(model: TextModel, row: ModelRow | undefined): string {
  return model.cells.get("instruct_format") || (row?.values.get("instruct_format") ?? "");
}

/** The size that a cell has, when it says what PRIMARY says. */
function keptSize(model: TextModel, cell: string): ModelSize | undefined {
  const size = modelSize(cell);
  if (size?.parameters !== model.parameters) return undefined;
  // "0.5000000001" are as many parameters as "0.5", but rounded to another tag.
  const tag = modelSize(model.cells.get("parameters_bn") ?? "")?.tag;
  return size.tag === tag || model.tags.includes(size.tag) ? size : undefined;
}

/** Whether a cell of tags, in a row of this style and size, gives the tags that PRIMARY's would. */
function sameTags(model: TextModel, cell: string, style: string, sizeTag: string): boolean {
  const wantedStyle = model.cells.get("style") ?? "";
  const wanted = sortedTags([...model.tags, ...wantedStyle === "" ? [] : [wantedStyle], sizeTag]);
  const got = tagsOf(cell, style, sizeTag);
  return got.length === wanted.length && got.every((tag, index) => tag === wanted[index]);
}

/** `undefined` when the cell holds no settings that can be used: then it is replaced. */
function readSettings(cell: string): JsonObject | undefined {
  try {
    return settingsOf(cell, "the settings");
  } catch (error) {
    if (error instanceof RefusedError) return undefined;
    throw error;
  }
}
