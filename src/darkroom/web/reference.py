"""A dialect's documentation as one page, drawn from its OpenAPI document: no script, no other host."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

from .openapi import FORM, JSON

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: light-dark(#0a58ca, #8ab4f8) }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem 1.2rem 4rem }
h1 { margin-bottom: .2rem } h2 { margin: 2.6rem 0 .4rem; font-size: 1.15rem; overflow-wrap: anywhere }
h2 code { background: none; padding: 0 } h3 { margin: 1.2rem 0 .3rem; font-size: .95rem }
a { color: var(--link) } nav ul { list-style: none; padding: 0; columns: 22rem } nav li { break-inside: avoid }
code, pre { font: .88em ui-monospace, monospace; background: var(--soft) }
code { border-radius: .25rem; padding: .1em .3em } pre code { background: none; padding: 0 }
pre { border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .93rem } td, th { border-bottom: 1px solid var(--line);
padding: .35rem .6rem .35rem 0; text-align: left; vertical-align: top } th { font-weight: 600 }
.method { display: inline-block; min-width: 4.4em; font-weight: 700 } .needed { font-size: .8em; opacity: .75 }
section { border-top: 1px solid var(--line) }
"""
WORD = re.compile(r"`([^`]+)`")
DEEPEST = 5  # levels of an example


def page(document: dict[str, Any]) -> str:
    """The page."""
    title, address = document["info"]["title"], document["servers"][0]["url"]
    found = [(path, method, item) for path, methods in document["paths"].items() for method, item in methods.items()]
    links = "".join(
        f'<li><a href="#{item["operationId"]}"><span class="method">{method.upper()}</span> {escape(path)}</a></li>'
        for path, method, item in found
    )
    sections = "".join(section(document, address, path, method, item) for path, method, item in found)
    sockets = "".join(
        f'<section><h2><span class="method">WS</span> <code>{escape(socket["path"])}</code></h2>'
        f"<p>{prose(socket['summary'])}</p></section>"
        for socket in document.get("x-websockets", ())
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head><body>'
        f"<h1>{escape(title)}</h1><p>{prose(document['info']['description'])}</p>"
        f"<p>Address: <code>{escape(address)}</code>. Key: in the header <code>Authorization</code>. "
        f'Machines read the <a href="openapi.json">OpenAPI document</a>.</p>'
        f"<nav><ul>{links}</ul></nav><main>{sections}{sockets}</main></body></html>"
    )


def section(document: dict[str, Any], address: str, path: str, method: str, item: dict[str, Any]) -> str:
    """One operation."""
    content = item.get("requestBody", {}).get("content", {})
    schema = next((part["schema"] for part in content.values()), None)
    rows = [
        row(parameter["name"], parameter["in"], parameter["schema"], parameter["required"], parameter, document)
        for parameter in item["parameters"]
    ]
    if schema:
        rows += fields(schema, document)
    table = f"<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>{''.join(rows)}</table>" if rows else ""
    status, success = next(iter(item["responses"].items()))
    answers = success.get("content", {}).get(JSON)
    shown = f"<h3>Answer, {status}</h3>{code(example(answers['schema'], document))}" if answers else ""
    about = "".join(f"<p>{prose(text)}</p>" for text in (item["summary"], item.get("description")) if text)
    return (
        f'<section id="{item["operationId"]}"><h2><span class="method">{method.upper()}</span> '
        f"<code>{escape(path)}</code></h2>{about}{table}<h3>Request</h3>"
        f"<pre><code>{escape(curl(address, path, method, item, document))}</code></pre>{shown}</section>"
    )


def fields(schema: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """A row for each field of a body."""
    schema = resolved(schema, document)
    required = schema.get("required", ())
    return [
        row(name, "", inner, name in required, inner, document) for name, inner in schema.get("properties", {}).items()
    ]


def row(
    name: str, place: str, schema: dict[str, Any], required: bool, described: dict[str, Any], document: dict[str, Any]
) -> str:
    """One field."""
    marks = ", ".join(filter(None, ("required" if required else "", f"in the {place}" if place else "")))
    choices = resolved(schema, document).get("enum") or schema.get("items", {}).get("enum")
    text = prose(described.get("description", ""))
    if choices:
        text += f" One of {', '.join(f'<code>{escape(str(choice))}</code>' for choice in choices)}."
    return (
        f"<tr><td><code>{escape(name)}</code><br><span class=needed>{marks}</span></td>"
        f"<td>{escape(kind(schema, document))}</td><td>{text}</td></tr>"
    )


def kind(schema: dict[str, Any], document: dict[str, Any]) -> str:
    """A field's type in words."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(kind(option, document) for option in options))
    schema = resolved(schema, document)
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}), document)}"
    return str(schema.get("type", "string" if schema.get("enum") else "any"))


def curl(address: str, path: str, method: str, item: dict[str, Any], document: dict[str, Any]) -> str:
    """The operation as a command line that can be pasted."""
    target = f"{address}{path}"
    needed = [found for found in item["parameters"] if found["in"] == "query" and found["required"]]
    if needed:
        target += "?" + "&".join(f"{found['name']}={example(found['schema'], document)}" for found in needed)
    lines = [f"curl '{target}'"]
    if method == "delete":
        lines.append("-X DELETE")
    if item["security"]:
        lines.append('-H "Authorization: $DARKROOM_KEY"')
    content = item.get("requestBody", {}).get("content", {})
    if JSON in content:
        schema = resolved(content[JSON]["schema"], document)
        shown = {
            name: example(inner, document)
            for name, inner in schema.get("properties", {}).items()
            if name in schema.get("required", ()) or inner.get("examples")
        }
        lines.append(f"--json '{json.dumps(shown, ensure_ascii=False, indent=2)}'")
    elif FORM in content:
        schema = content[FORM]["schema"]
        for name, inner in schema["properties"].items():
            single = inner.get("items", inner)
            if single.get("format") == "binary" and name in schema.get("required", ()):
                lines.append(f"-F {name}=@in.png")
            elif single.get("examples"):
                lines.append(f"-F {name}='{single['examples'][0]}'")
    elif method == "post":
        lines.append("-X POST")
    return " \\\n  ".join(lines)


def prose(text: str) -> str:
    """Text whose `words` are code."""
    return WORD.sub(r"<code>\1</code>", escape(text))


def code(value: Any) -> str:
    """A value as JSON."""
    return f"<pre><code>{escape(json.dumps(value, ensure_ascii=False, indent=2))}</code></pre>"


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one that it refers to or begins its choices with."""
    while True:
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = next((option for option in schema["anyOf"] if option.get("type") != "null"), {})
        else:
            return schema


def example(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Any:
    """A value that a schema allows, made of its examples, choices and defaults."""
    for source in (schema, schema := resolved(schema, document)):
        if source.get("examples"):
            return source["examples"][0]
        if source.get("enum"):
            return source["enum"][0]
        if source.get("default") is not None:
            return source["default"]
    match schema.get("type"):
        case "object" if depth < DEEPEST:
            properties = schema.get("properties", {})
            return {name: example(inner, document, depth + 1) for name, inner in properties.items()}
        case "array":
            return [example(schema["items"], document, depth + 1)] if schema.get("items") and depth < DEEPEST else []
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
        case "string":
            return "…"
        case "object":
            return {}
        case _:
            return None
