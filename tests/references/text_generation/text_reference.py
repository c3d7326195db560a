"""What Python makes of models.csv: the rules of the target repository, written once more to compare with.

Reads a JSON list of jobs, [what, argument], and writes the list of their results; a job that fails gives null.
  ["read", text]    the rows as csv.reader reads them
  ["write", rows]   the text that csv.writer makes of rows
  ["db", text]      db.json for a models.csv
"""
import csv
import io
import json
import sys

DEFAULTS = {
    "baseline": "",
    "parameters": None,
    "description": "",
    "version": "1",
    "style": "generalist",
    "nsfw": False,
}


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


def write(rows):
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def record(row):
    name = row.pop("name")
    billions = float(row.pop("parameters_bn"))
    short_name = name.split("/")[1] if "/" in name else name
    tags = {"%.0fB" % round(billions, 0)}
    if row["tags"]:
        tags |= {tag.strip() for tag in row["tags"].split(",")}
    if row.get("style"):
        tags |= {row["style"]}
    settings = json.loads(row["settings"]) if row["settings"] else {}
    if not isinstance(settings, dict):
        raise ValueError("settings")
    row.update(parameters=int(billions * 1_000_000_000), tags=sorted(tags), settings=settings)
    if not row.get("display_name"):
        spaced = short_name.replace("-", " ").replace("_", " ")
        while "  " in spaced:
            spaced = spaced.replace("  ", " ")
        row["display_name"] = spaced.strip()
    said = {key: value for key, value in row.items() if value}
    return name, short_name, {"model_name": short_name, **DEFAULTS, **said}


def db(text):
    records = {}
    for row in csv.DictReader(io.StringIO(text, newline="")):
        if "://" in row["name"]:
            continue
        name, short_name, fields = record(row)
        for key in (name, "aphrodite/" + name, "koboldcpp/" + short_name):
            records[key] = {"name": key, **fields}
    return json.dumps(records, indent=4) + "\n"


def run(what, argument):
    try:
        return {"read": read, "write": write, "db": db}[what](argument)
    except (csv.Error, ValueError, TypeError, KeyError, OverflowError):
        return None


json.dump([run(*job) for job in json.load(sys.stdin)], sys.stdout)
