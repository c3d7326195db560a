"""The original tool's work for text_generation: PRIMARY's records become rows, and all rows records.

Arguments: PRIMARY's records, db.json, models.csv. Writes written.json and written.csv. As in the original, the row of a
model keeps its place and, if PRIMARY has none, its instruct_format; new rows come last; each row gives three records,
which are compared with db.json.
"""
import csv
import json
import re
import sys

DEFAULTS = {
    "baseline": "",
    "parameters": None,
    "description": "",
    "version": "1",
    "style": "generalist",
    "nsfw": False,
}
BACKENDS = ("aphrodite/", "koboldcpp/")


def model_name(name):
    return name.split("/")[1] if "/" in name else name


def spaced(name):
    return re.sub(r"[-_ ]+", " ", model_name(name)).strip()


def size_tag(billions):
    return "%.0fB" % round(billions, 0)


def row_of(name, record):
    billions = record["parameters"] / 1_000_000_000
    tags = record.get("tags", [])
    style = record.get("style", "")
    if style == DEFAULTS["style"] and style not in tags:
        style = ""
    display_name = record.get("display_name", "")
    settings = record.get("settings")
    automatic = (style, size_tag(billions))
    return {
        "name": name,
        "parameters_bn": "%d" % billions if billions == int(billions) else str(billions),
        "display_name": "" if display_name == spaced(name) else display_name,
        "url": record.get("url", ""),
        "baseline": record.get("baseline", ""),
        "description": record.get("description", ""),
        "style": style,
        "tags": ",".join(tag for tag in tags if tag not in automatic),
        "instruct_format": record.get("instruct_format", ""),
        "settings": json.dumps(settings) if settings else "",
    }


def record_of(row):
    name = row.pop("name")
    billions = float(row.pop("parameters_bn"))
    tags = {size_tag(billions)}
    if row["tags"]:
        tags |= {tag.strip() for tag in row["tags"].split(",")}
    if row["style"]:
        tags.add(row["style"])
    row["parameters"] = int(billions * 1_000_000_000)
    row["tags"] = sorted(tags)
    row["settings"] = json.loads(row["settings"]) if row["settings"] else {}
    row["display_name"] = row["display_name"] or spaced(name)
    said = {key: value for key, value in row.items() if value}
    return {"model_name": model_name(name), **DEFAULTS, **said}


primary_path, json_path, csv_path = sys.argv[1:]
primary = json.load(open(primary_path))
current = json.load(open(json_path))
wanted = {name: row_of(name, record) for name, record in primary.items() if not name.startswith(BACKENDS)}

rows = []
reader = csv.DictReader(open(csv_path, newline=""))
for row in reader:
    new = wanted.pop(row["name"], None)
    if new is not None:
        rows.append({**row, **new, "instruct_format": new["instruct_format"] or row["instruct_format"]})
rows += wanted.values()

records = {}
for row in rows:
    name = row["name"]
    fields = record_of(dict(row))
    for key in (name, "aphrodite/" + name, "koboldcpp/" + model_name(name)):
        records[key] = {"name": key, **fields}
changed = [name for name in {**records, **current} if records.get(name) != current.get(name)]

with open("written.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, reader.fieldnames)
    writer.writeheader()
    writer.writerows(rows)
with open("written.json", "w") as file:
    file.write(json.dumps(records, indent=4) + "\n")
